#include "tests/unit/jobs/backends.hpp"

#include <cstdlib>

#include "tests/unit/jobs/scratch.hpp"

namespace penstock::test {
namespace {

class sqlite_backend final : public backend {
 public:
  topology::jobs_config config() const override {
    topology::jobs_config out;
    out.queue.path = folder_.path("jobs.db");
    out.blobs.path = folder_.path("blobs");
    return out;
  }

 private:
  scratch folder_;
};

std::vector<backend_kind> find_kinds() {
  std::vector<backend_kind> out;
  out.push_back({"sqlite", [] { return std::make_unique<sqlite_backend>(); }});
  return out;
}

} // namespace

const std::vector<backend_kind>& backend_kinds() {
  static const auto kinds = find_kinds();
  return kinds;
}

} // namespace penstock::test

TEST_CASE("no server for the tests is missing where CI runs them") {
  const auto* ci = std::getenv("CI");
  if (ci == nullptr || std::string{ci} != "true") return;
  for (const auto& kind : penstock::test::backend_kinds()) {
    INFO(kind.name << ": " << kind.missing);
    CHECK(kind.make);
  }
}
