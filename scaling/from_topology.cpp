#include "scaling/from_topology.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "topology/check_scaling.hpp"

namespace penstock::scaling {
namespace {

using std::chrono::milliseconds;

milliseconds ms(topology::duration time) { return std::chrono::duration_cast<milliseconds>(time); }
std::chrono::seconds whole_s(topology::duration time) { return std::chrono::ceil<std::chrono::seconds>(time); }

/// Both lists have the same order.
threshold_rule rule_of(const topology::threshold_rule_config& from) {
  threshold_rule to;
  to.metric = static_cast<threshold_metric>(from.metric);
  to.compare = static_cast<threshold_operator>(from.compare);
  to.threshold = from.threshold;
  to.duration = from.for_time;
  to.cooldown = from.cooldown;
  to.step = from.step;
  return to;
}

std::vector<threshold_rule> rules_of(const std::vector<topology::threshold_rule_config>& from) {
  std::vector<threshold_rule> to;
  std::ranges::transform(from, std::back_inserter(to), rule_of);
  return to;
}

rate_options rate_of(const topology::rate_policy_config& from, topology::duration objective) {
  rate_options to;
  to.target_utilisation = from.target_utilisation;
  to.objective = objective;
  to.drain_time = from.drain_time;
  to.boot_time = from.boot_time;
  to.level_window = from.level_window;
  to.trend_window = from.trend_window;
  to.trend_certainty = from.trend_certainty;
  to.most_growth = from.most_growth;
  to.burst_share = from.burst_share;
  to.late_limit = from.late_limit;
  to.stable_for = from.stable_for;
  to.step_every = from.step_every;
  to.step = from.step;
  to.hysteresis = from.hysteresis;
  to.memory = from.memory;
  to.envelope_quantile = from.envelope_quantile;
  to.outage_grace = from.outage_grace;
  return to;
}

schedule_options schedule_of(const topology::schedule_policy_config& from, topology::duration boot) {
  schedule_options to;
  to.utc_offset = from.utc_offset;
  to.boot_time = boot;
  for (const auto& each : from.entries) {
    schedule_entry entry{{}, each.from, each.to, each.workers};
    entry.days.fill(false);
    for (const auto day : each.days) entry.days[static_cast<std::size_t>(day)] = true;
    to.entries.push_back(entry);
  }
  return to;
}

std::string name_of(topology::fleet_kind kind) {
  switch (kind) {
  case topology::fleet_kind::advise: return "advise";
  case topology::fleet_kind::process: return "process";
  case topology::fleet_kind::vmss: return "vmss";
  case topology::fleet_kind::exec: return "exec";
  }
  return "unknown";
}

fleet_options fleet_of(const topology::scaling_config& from, const std::string& role, const plan_extras& extras) {
  fleet_options to;
  to.kind = name_of(from.fleet);
  to.process.command = from.process.command.empty() ? extras.worker_command : from.process.command;
  to.process.folder = from.process.folder;
  to.process.prefix = from.process.prefix;
  to.process.grace = ms(from.process.grace);
  to.process.most = from.process.most;
  to.vmss.resource_id = from.vmss.resource_id;
  to.vmss.endpoint = from.vmss.endpoint;
  to.vmss.identity_endpoint = from.vmss.identity_endpoint;
  to.vmss.identity_client = from.vmss.identity_client;
  to.vmss.patience = ms(from.vmss.patience);
  to.vmss.request_limit = ms(from.vmss.request_limit);
  to.vmss.ask_again_after = whole_s(from.vmss.ask_again_after);
  to.exec.command = from.exec.command;
  to.exec.limit = ms(from.exec.limit);
  to.advise.role = role;
  if (const auto& monitor = from.advise.azure_monitor; !monitor.resource_id.empty()) {
    auto& tell = to.advise.azure_monitor.emplace();
    tell.resource_id = monitor.resource_id;
    tell.endpoint = monitor.endpoint;
    tell.name_space = monitor.name_space;
    to.advise.identity_endpoint = monitor.identity_endpoint;
    to.advise.identity_client = monitor.identity_client;
  }
  return to;
}

controller_options controlling_of(const topology::scaling_config& from, const topology::scale_config& bounds) {
  controller_options to;
  to.min = bounds.min;
  to.max = bounds.max;
  to.max_step = from.max_step;
  to.stale_after = from.stale_after;
  to.drain_timeout = from.drain_timeout;
  to.boot_limit = from.boot_limit;
  to.allocation_patience = from.allocation_patience;
  to.ask_again_after = from.ask_again_after;
  to.repeat_after = from.repeat_after;
  to.names_instances = from.fleet != topology::fleet_kind::advise;
  return to;
}

/// The calendar at a moment of the clock of deadlines.
std::chrono::sys_seconds wall_at(core::time_point at) {
  const auto ahead = std::chrono::duration_cast<std::chrono::system_clock::duration>(at - core::clock::now());
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now() + ahead);
}

} // namespace

std::string door_of(const topology::config& config) {
  for (const auto& role : config.nodes) {
    if (role.http.empty()) continue;
    const auto colon = role.http.rfind(':');
    auto host = role.http.substr(0, colon);
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host == "[::]") host = "[::1]";
    return fmt::format("{}://{}{}", config.http.tls.certificate.empty() ? "http" : "https", host,
                       role.http.substr(colon));
  }
  return {};
}

core::expected<scaling_plan> plan_of(const topology::config& config, const plan_extras& extras) {
  const auto wrong = [](std::string what) { return core::fail(core::errc::bad_config, std::move(what)); };
  if (!config.scaling) return wrong("scaling: is missing; allowed: a map, if only with fleet");
  const auto& from = *config.scaling;
  const auto* role = topology::scaled_role(config);
  if (role == nullptr) return wrong("scaling: there is no role of workers to scale");
  scaling_plan to;
  to.role = role->role;
  to.controlling = controlling_of(from, role->scale);
  to.policies = from.policies;
  to.policy.rate = rate_of(from.rate, from.objective);
  to.policy.threshold = {rules_of(from.threshold.out), rules_of(from.threshold.in)};
  to.policy.schedule = schedule_of(from.schedule, from.rate.boot_time);
  to.fleet = fleet_of(from, to.role, extras);
  to.reads_prometheus = from.source == topology::scaling_source::prometheus;
  to.heads.urls = from.heads;
  if (const auto own = door_of(config); from.heads.empty() && !own.empty()) to.heads.urls = {own};
  to.heads.role = to.head.role = to.prometheus.role = to.role;
  to.heads.token = to.head.token = extras.head_token;
  to.head.window = to.prometheus.window = whole_s(from.window);
  if (!to.heads.urls.empty()) to.head.url = to.heads.urls.front();
  to.prometheus.url = from.prometheus.url;
  to.prometheus.token = extras.prometheus_token;
  to.prometheus.stale_after = whole_s(from.stale_after);
  to.interval = ms(from.interval);
  to.lease = from.lease;
  if (auto good = to.controlling.validate(); !good) return core::fail("scaling", good.error());
  if (auto good = validate(to.fleet); !good) return core::fail("scaling", good.error());
  if (auto good = policies_of(to); !good) return core::fail("scaling", good.error());
  return to;
}

core::expected<std::vector<policy_ptr>> policies_of(const scaling_plan& plan) {
  std::vector<policy_ptr> all;
  for (const auto& name : plan.policies) {
    auto made = make_policy(name, plan.policy, wall_at);
    if (!made) return tl::unexpected{made.error()};
    all.push_back(std::move(*made));
  }
  return all;
}

} // namespace penstock::scaling
