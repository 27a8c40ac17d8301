#pragma once

#include <optional>
#include <string>

#include "tests/unit/jobs/scratch.hpp"
#include "tests/unit/jobs/server.hpp"

namespace penstock::test {

/// The emulator of Azure's storage on free ports. It saves every 5 s, so it is never killed, only asked to end.
class azurite {
 public:
  explicit azurite(const std::filesystem::path& program);

  /// The one that all tests share.
  static azurite& shared(const std::filesystem::path& program);

  /// A connection string with a name of its own; `blob` and `queue` are the ports to go to (0: the emulator's).
  [[nodiscard]] std::string fresh_url(int blob = 0, int queue = 0);

  [[nodiscard]] int blob_port() const { return blob_port_; }
  [[nodiscard]] int queue_port() const { return queue_port_; }

 private:
  scratch folder_;
  int blob_port_;
  int queue_port_;
  server process_;
  int names_ = 0;
};

/// What tools/setup.sh installed, or what is in the path.
[[nodiscard]] std::optional<std::filesystem::path> find_azurite();

inline constexpr const char* emulator_key =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

} // namespace penstock::test
