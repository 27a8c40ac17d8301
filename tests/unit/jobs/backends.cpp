#include "tests/unit/jobs/backends.hpp"

#include <cstdlib>

#include "tests/unit/jobs/azurite.hpp"
#include "tests/unit/jobs/nats_server.hpp"
#include "tests/unit/jobs/scratch.hpp"
#include "tests/unit/jobs/server.hpp"

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

class nats_backend final : public backend {
 public:
  explicit nats_backend(const std::filesystem::path& program) : url_{nats_server::shared(program).fresh_url()} {}

  topology::jobs_config config() const override {
    topology::jobs_config out;
    out.queue.kind = topology::queue_kind::nats;
    out.queue.url = url_;
    out.blobs.path = folder_.path("blobs");
    return out;
  }

 private:
  scratch folder_;
  std::string url_;
};

class azure_backend final : public backend {
 public:
  explicit azure_backend(const std::filesystem::path& program) : url_{azurite::shared(program).fresh_url()} {}

  topology::jobs_config config() const override {
    topology::jobs_config out;
    out.queue.kind = topology::queue_kind::azure;
    out.queue.url = url_;
    out.blobs.kind = topology::blobs_kind::azure;
    out.blobs.url = url_;
    return out;
  }

 private:
  std::string url_;
};

std::vector<backend_kind> find_kinds() {
  std::vector<backend_kind> out;
  out.push_back({"sqlite", [] { return std::make_unique<sqlite_backend>(); }});
  if (const auto program = find_program("nats-server")) {
    out.push_back({"nats", [program] { return std::make_unique<nats_backend>(*program); }});
  } else {
    out.push_back({"nats", nullptr, "no nats-server here; install Debian's package nats-server"});
  }
  if (const auto program = find_azurite()) {
    out.push_back({"azure", [program] { return std::make_unique<azure_backend>(*program); }});
  } else {
    out.push_back({"azure", nullptr, "no azurite here; run tools/setup.sh test"});
  }
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
