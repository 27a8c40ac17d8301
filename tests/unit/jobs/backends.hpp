#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/stores.hpp"
#include "tests/catch.hpp"
#include "tests/take.hpp"

namespace penstock::test {

/// Fresh, empty stores of one kind, and whatever servers they need. Any number of processes can open them.
class backend {
 public:
  backend() = default;
  backend(const backend&) = delete;
  backend& operator=(const backend&) = delete;
  virtual ~backend() = default;

  [[nodiscard]] virtual topology::jobs_config config() const = 0;
};

struct backend_kind {
  std::string name;
  std::function<std::unique_ptr<backend>()> make; ///< null where its server is missing
  std::string missing{};                          ///< what is missing
};

/// All kinds. Where the environment has `CI=true` a missing server is a failure.
const std::vector<backend_kind>& backend_kinds();

inline jobs::job_stores open(const backend& of, const jobs::wall_clock& clock = jobs::system_clock()) {
  auto stores = jobs::open_stores(of.config(), clock);
  if (!stores) FAIL(stores.error().message);
  return std::move(*stores);
}

/// Runs a test on every kind of stores there is: `each(backend&)`, in a section of its own.
template <class Each>
void on_all_backends(Each each) {
  for (const auto& kind : backend_kinds()) {
    DYNAMIC_SECTION(kind.name) {
      if (!kind.make) {
        WARN("skipped: " << kind.name << ": " << kind.missing);
        continue;
      }
      const auto made = kind.make();
      each(*made);
    }
  }
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

} // namespace penstock::test
