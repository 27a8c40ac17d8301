#include "topology/check_scaling.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "topology/spelling.hpp"

namespace penstock::topology {
namespace {

bool runs(const node_config& n, stage s) { return std::ranges::find(n.stages, s) != n.stages.end(); }

void check_role(const config& c, const findings& find) {
  const auto& scaling = *c.scaling;
  const auto* role = scaled_role(c);
  std::vector<std::string> names;
  for (const auto& n : c.nodes)
    if (!runs(n, stage::source)) names.push_back(n.role);
  if (!scaling.role.empty() && role == nullptr) {
    find.error("scaling.role", fmt::format("found '{}'; allowed: {}", scaling.role,
                                           names.empty() ? "a role of nodes without source, of which there is none"
                                                         : enumerate(names)));
  } else if (role == nullptr && scaling.enabled) {
    find.error("scaling",
               "there is no role of workers to scale; allowed: a role of nodes that decodes, without source");
  } else if (role != nullptr && scaling.enabled && role->scale == scale_config{}) {
    find.note("scaling", fmt::format("nodes.{}.scale allows one worker, so there is nothing to decide", role->role));
  }
}

void check_policies(const scaling_config& scaling, const findings& find) {
  const auto& all = scaling.policies;
  if (all.empty()) find.error("scaling.policies", "has no policy; allowed: at least one");
  for (auto at = all.begin(); at != all.end(); ++at) {
    if (std::find(all.begin(), at, *at) != at)
      find.error(fmt::format("scaling.policies.{}", at - all.begin()), "stands twice");
  }
  const auto uses = [&](std::string_view name) { return std::ranges::find(all, name) != all.end(); };
  if (uses("schedule") && scaling.schedule.entries.empty())
    find.error("scaling.schedule.entries", "has no entry, and scaling.policies has schedule; allowed: at least one");
  if (uses("threshold") && scaling.threshold.out.empty() && scaling.threshold.in.empty())
    find.error("scaling.threshold", "has no rule, and scaling.policies has threshold; allowed: at least one");
  for (std::size_t i = 0; i < scaling.schedule.entries.size(); ++i) {
    if (scaling.schedule.entries[i].days.empty())
      find.error(fmt::format("scaling.schedule.entries.{}.days", i), "has no day; allowed: at least one");
  }
}

void check_addresses(const scaling_config& scaling, const findings& find) {
  const auto check = [&](const std::string& path, const std::string& url) {
    if ((url.starts_with("http://") || url.starts_with("https://")) && !url.ends_with('/')) return;
    find.error(path, fmt::format("found '{}'; allowed: http://HOST:PORT or https://HOST:PORT, without a slash at its "
                                 "end",
                                 url));
  };
  check("scaling.prometheus.url", scaling.prometheus.url);
  for (std::size_t i = 0; i < scaling.heads.size(); ++i) check(fmt::format("scaling.heads.{}", i), scaling.heads[i]);
  if (scaling.source == scaling_source::head && scaling.heads.size() > 1)
    find.error("scaling.source", "found 'head', which asks one head, for several; allowed: prometheus");
  check("scaling.vmss.endpoint", scaling.vmss.endpoint);
  check("scaling.vmss.identity_endpoint", scaling.vmss.identity_endpoint);
}

void check_fleet(const scaling_config& scaling, const findings& find) {
  if (scaling.fleet == fleet_kind::vmss && scaling.vmss.resource_id.empty())
    find.error("scaling.vmss.resource_id", "is missing; allowed: the id of a scale set");
  if (scaling.fleet == fleet_kind::exec && scaling.exec.command.empty())
    find.error("scaling.exec.command", "is missing; allowed: a program and its arguments");
  const auto& monitor = scaling.advise.azure_monitor;
  if (!monitor.resource_id.empty() && monitor.endpoint.empty())
    find.error("scaling.advise.azure_monitor.endpoint", "is missing; allowed: https://REGION.monitoring.azure.com");
}

} // namespace

const node_config* scaled_role(const config& c) {
  const auto named = c.scaling ? c.scaling->role : std::string{};
  const auto at = std::ranges::find_if(c.nodes, [&](const node_config& n) {
    return !runs(n, stage::source) && (named.empty() ? runs(n, stage::decode) : n.role == named);
  });
  return at == c.nodes.end() ? nullptr : &*at;
}

void check_scaling(const config& c, bool check_files, const findings& find) {
  if (!c.scaling) return;
  const auto& scaling = *c.scaling;
  check_role(c, find);
  check_policies(scaling, find);
  check_addresses(scaling, find);
  check_fleet(scaling, find);
  if (scaling.window < scaling.interval / 2 && scaling.source == scaling_source::prometheus)
    find.note("scaling.window", "is much shorter than scaling.interval, so most of what happens is not looked at");
  if (!check_files) return;
  for (const auto& [key, file] : {std::pair{"scaling.token_file", scaling.token_file},
                                  std::pair{"scaling.prometheus.token_file", scaling.prometheus.token_file}}) {
    std::error_code error; // heads and workers read this file too, and have no business with the token
    if (file.empty() || std::filesystem::exists(file, error)) continue;
    find.note(key, fmt::format("'{}' does not exist on this machine, which could not scale", file.string()));
  }
}

} // namespace penstock::topology
