#include "jobs/stores.hpp"

#include <array>
#include <utility>

#include "jobs/azure/stores.hpp"
#include "jobs/local/blobs.hpp"
#include "jobs/local/file.hpp"
#include "jobs/nats/stores.hpp"
#include "jobs/sqlite/stores.hpp"

namespace penstock::jobs {
namespace {

using topology::blobs_kind;
using topology::job_blobs_config;
using topology::job_queue_config;
using topology::queue_kind;

core::expected<void> open_sqlite(const job_queue_config& config, const wall_clock& clock, job_stores& into) {
  if (auto made = local::make_folders(config.path.parent_path()); !made) return made;
  return sqlite::open(config.path, clock).map([&](sqlite::tables made) {
    into.ledger = std::move(made.ledger);
    into.hints = std::move(made.hints);
  });
}

core::expected<void> open_nats(const job_queue_config& config, const wall_clock&, job_stores& into) {
  return nats::open(config.url).map([&](nats::streams made) {
    into.ledger = std::move(made.ledger);
    into.hints = std::move(made.hints);
  });
}

core::expected<void> open_local(const job_blobs_config& config, job_stores& into) {
  return local::open(config.path).map([&](std::shared_ptr<blobs> made) { into.blobs = std::move(made); });
}

core::expected<void> open_azure_queue(const job_queue_config& config, const wall_clock&, job_stores& into) {
  return azure::open_queue(config.url).map([&](azure::queue_and_container made) {
    into.ledger = std::move(made.ledger);
    into.hints = std::move(made.hints);
  });
}

core::expected<void> open_azure_blobs(const job_blobs_config& config, job_stores& into) {
  return azure::open_blobs(config.url).map([&](std::shared_ptr<blobs> made) { into.blobs = std::move(made); });
}

template <class Kind, class Open>
struct backend {
  Kind kind;
  const char* name;
  Open* open;
};

/// What keeps jobs, and what keeps files: a line each.
constexpr std::array queues{backend{queue_kind::sqlite, "sqlite", open_sqlite},
                            backend{queue_kind::nats, "nats", open_nats},
                            backend{queue_kind::azure, "azure", open_azure_queue}};
constexpr std::array files{backend{blobs_kind::local, "local", open_local},
                           backend{blobs_kind::azure, "azure", open_azure_blobs}};

template <class Table, class Config, class... Rest>
core::expected<void> open_one(const Table& table, const char* key, const Config& config, Rest&&... rest) {
  std::string names;
  for (const auto& line : table) {
    if (line.kind == config.kind) {
      auto opened = line.open(config, std::forward<Rest>(rest)...);
      if (!opened) return core::fail(key, opened.error());
      return {};
    }
    names += names.empty() ? line.name : std::string{", "} + line.name;
  }
  return core::fail(core::errc::unsupported,
                    std::string{key} + ": this build does not have this kind; it has " + names);
}

} // namespace

core::expected<job_stores> open_stores(const topology::jobs_config& config, const wall_clock& clock) {
  job_stores out;
  if (auto opened = open_one(queues, "jobs.queue", config.queue, clock, out); !opened) {
    return tl::unexpected{opened.error()};
  }
  if (auto opened = open_one(files, "jobs.blobs", config.blobs, out); !opened) return tl::unexpected{opened.error()};
  return out;
}

} // namespace penstock::jobs
