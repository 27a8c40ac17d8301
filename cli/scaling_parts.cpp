#include "cli/scaling_parts.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <system_error>
#include <utility>

#include "cli/door.hpp"
#include "cli/fleet.hpp"
#include "jobs/ids.hpp"
#include "jobs/stores.hpp"

namespace penstock::cli {

namespace {

/// Of a file alone: PENSTOCK_TOKEN is for doors.
core::expected<std::string> token_in(const std::filesystem::path& file) {
  if (file.empty()) return std::string{};
  return read_token(file.string());
}

/// This program's file, also for those who look at processes.
std::string program() {
  std::error_code unknown;
  const auto file = std::filesystem::read_symlink("/proc/self/exe", unknown);
  return unknown ? "penstock" : file.string();
}

} // namespace

std::vector<std::string> worker_command(const std::string& file, const std::vector<std::string>& overrides,
                                        const std::string& role, const std::string& head) {
  std::vector<std::string> words{program(), "worker",    file,          "--name",       "{name}", "--role",
                                 role,      "--metrics", "127.0.0.1:0", "--log-format", "json"};
  for (const auto& each : overrides) words.insert(words.end(), {"--set", each});
  if (!head.empty()) words.insert(words.end(), {"--head", head});
  return words;
}

core::expected<scaling::scaling_plan> plan_scaling(const topology::loaded& topology,
                                                   const std::vector<std::string>& own_command) {
  scaling::plan_extras extras;
  extras.worker_command = own_command;
  if (const auto& scaling = topology.config.scaling) {
    auto token = read_token(scaling->token_file.string());
    if (!token) return core::fail("scaling.token_file", token.error());
    extras.head_token = std::move(*token);
    token = token_in(scaling->prometheus.token_file);
    if (!token) return core::fail("scaling.prometheus.token_file", token.error());
    extras.prometheus_token = std::move(*token);
  }
  return plan_of(topology.config, extras);
}

core::expected<scaling::source_ptr> open_source(const scaling::scaling_plan& plan) {
  if (plan.reads_prometheus) {
    auto opened = scaling::open_prometheus(plan.prometheus);
    if (!opened) return core::fail("scaling", opened.error());
    return opened;
  }
  if (plan.heads.urls.empty()) {
    return core::fail(core::errc::bad_config, "scaling.heads: is missing; allowed: the address of the head's door, "
                                              "since no role has http");
  }
  auto opened = scaling::open_head(plan.head);
  if (!opened) return core::fail("scaling", opened.error());
  return opened;
}

core::expected<scaling::workforce_ptr> open_workforce(const scaling::scaling_plan& plan) {
  if (!plan.controlling.names_instances) return nullptr;
  if (plan.heads.urls.empty()) {
    return core::fail(core::errc::bad_config, "scaling.heads: is missing; allowed: the addresses of the heads' doors, "
                                              "since no role has http");
  }
  auto opened = scaling::open_heads(plan.heads);
  if (!opened) return core::fail("scaling", opened.error());
  return opened;
}

core::expected<std::unique_ptr<scaling::leader>> open_leader(const topology::config& config,
                                                             const scaling::scaling_plan& plan) {
  // Where nothing is done but saying a number, all may say it.
  if (!config.jobs || !plan.controlling.names_instances) return nullptr;
  auto stores = jobs::open_stores(*config.jobs);
  if (!stores) return core::fail("jobs", stores.error());
  const auto random = jobs::system_random();
  return std::make_unique<scaling::leader>(std::move(stores->ledger), config.pipeline + "/" + plan.role, fleet_name(),
                                           fmt::format("{:016x}{:016x}", random(), random()), plan.lease);
}

} // namespace penstock::cli
