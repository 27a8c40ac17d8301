#include "topology/scaling_table.hpp"

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/make_shapes.hpp"
#include "topology/scalar_shapes.hpp"

namespace penstock::topology {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

auto above_zero() { return time_span(milliseconds{1}); }
auto words() { return list_of<std::string>(text()); }

auto rate_policy() {
  using c = rate_policy_config;
  auto s = object<c>();
  s->add("target_utilisation", &c::target_utilisation, number(0.01, 0.99),
         "Busy share of workers that is aimed at; less where arrivals are bursty and the fleet is small.")
      .add("drain_time", &c::drain_time, above_zero(), "A backlog should be gone after that.")
      .add("boot_time", &c::boot_time, time_span(duration{0}),
           "From asking for an instance to its ready worker, taken while none was measured.")
      .add("level_window", &c::level_window, above_zero(), "Arrivals are averaged over it.")
      .add("trend_window", &c::trend_window, above_zero(), "A trend is looked for in it.")
      .add("trend_certainty", &c::trend_certainty, number(0), "Standard errors up to which a trend is taken for noise.")
      .add("most_growth", &c::most_growth, number(1), "A trend is continued up to this multiple of the present level.")
      .add("burst_share", &c::burst_share, number(0.001, 0.999),
           "Share of items that bursts within a window may make late.")
      .add("late_limit", &c::late_limit, number(0.001, 0.999), "While a greater share of items is late nobody leaves.")
      .add("stable_for", &c::stable_for, time_span(duration{0}), "Fewer workers must have been enough for so long.")
      .add("step_every", &c::step_every, time_span(duration{0}), "Between two steps of scale-in.")
      .add("step", &c::step, number(0.01, 1), "Of the surplus, the share that goes with a step; one worker at least.")
      .add("hysteresis", &c::hysteresis, number(0, 1), "Of the workers that stay, the share that must be to spare.")
      .add("memory", &c::memory, above_zero(), "How long the rises of arrivals are remembered.")
      .add("envelope_quantile", &c::envelope_quantile, number(0.01, 1),
           "Of past moments, the share whose rise within a boot time must find its workers.")
      .add("outage_grace", &c::outage_grace, time_span(duration{0}),
           "After an outage arrivals have so long to come back before workers leave.");
  return s;
}

auto threshold_rule() {
  using c = threshold_rule_config;
  auto s = object<c>();
  s->add("metric", &c::metric,
         choice<threshold_metric>({{"utilisation", threshold_metric::utilisation},
                                   {"backlog", threshold_metric::backlog},
                                   {"oldest", threshold_metric::oldest},
                                   {"late_share", threshold_metric::late_share}}),
         "`utilisation`: busy share of ready workers' busiest resource, 0 to 1; `backlog`: seconds of waiting work; "
         "`oldest`: seconds "
         "that the oldest item has waited; `late_share`: of items, 0 to 1.")
      .add("operator", &c::compare,
           choice<threshold_operator>({{"above", threshold_operator::above},
                                       {"at_least", threshold_operator::at_least},
                                       {"below", threshold_operator::below},
                                       {"at_most", threshold_operator::at_most}}),
           "How it is compared.")
      .add("threshold", &c::threshold, number(0), "What it is compared with.")
      .add("duration", &c::for_time, time_span(duration{0}), "The metric's mean over this time is compared.")
      .add("cooldown", &c::cooldown, time_span(duration{0}), "Since the last change, whichever rule made it.")
      .add("step", &c::step, whole(1), "Workers that come or go.");
  return s;
}

auto schedule_policy() {
  auto entry = object<schedule_entry_config>();
  entry
      ->add("days", &schedule_entry_config::days,
            list_of<weekday>(choice<weekday>({{"mon", weekday::mon},
                                              {"tue", weekday::tue},
                                              {"wed", weekday::wed},
                                              {"thu", weekday::thu},
                                              {"fri", weekday::fri},
                                              {"sat", weekday::sat},
                                              {"sun", weekday::sun}})),
            "Days on which it begins.")
      .add("from", &schedule_entry_config::from, time_of_day(), "When it begins.")
      .add("to", &schedule_entry_config::to, time_of_day(), "When it ends; up to `from`: on the day after.")
      .add("workers", &schedule_entry_config::workers, whole(0), "So many at least.");
  auto s = object<schedule_policy_config>();
  s->add("utc_offset", &schedule_policy_config::utc_offset, utc_offset(),
         "Of the times, east of Greenwich `+`; it knows no summer time.")
      .add("entries", &schedule_policy_config::entries, list_of<schedule_entry_config>(entry),
           "Of several that hold the largest counts. They are asked for a boot time early.");
  return s;
}

auto vmss() {
  using c = vmss_fleet_config;
  auto s = object<c>();
  s->add("resource_id", &c::resource_id, text(true),
         "`/subscriptions/…/resourceGroups/…/providers/Microsoft.Compute/virtualMachineScaleSets/NAME`.")
      .add("endpoint", &c::endpoint, text(), "Azure Resource Manager.")
      .add("identity_endpoint", &c::identity_endpoint, text(), "Metadata service that gives tokens.")
      .add("identity_client", &c::identity_client, text(true), "Client id of a user-assigned identity.")
      .add("patience", &c::patience, above_zero(), "Tries of one request, together.")
      .add("request_limit", &c::request_limit, above_zero(), "Of one try.")
      .add("ask_again_after", &c::ask_again_after, time_span(seconds{1}), "Where there was no capacity or quota.");
  return s;
}

auto advise() {
  using c = azure_monitor_config;
  auto monitor = object<c>();
  monitor
      ->add("resource_id", &c::resource_id, text(true), "Whose metrics they are; none: Azure Monitor is told nothing.")
      .add("endpoint", &c::endpoint, text(true), "`https://REGION.monitoring.azure.com`, of the resource's region.")
      .add("namespace", &c::name_space, text(), "Of the metrics.")
      .add("identity_endpoint", &c::identity_endpoint, text(), "Metadata service that gives tokens.")
      .add("identity_client", &c::identity_client, text(true), "Client id of a user-assigned identity.");
  auto s = object<advise_fleet_config>();
  s->add("azure_monitor", &advise_fleet_config::azure_monitor, monitor,
         "Custom metrics for autoscale rules of Azure. See [Azure](azure.md).");
  return s;
}

auto process() {
  using c = process_fleet_config;
  auto s = object<c>();
  s->add("command", &c::command, words(),
         "The program and its arguments; `{name}` becomes the worker's name. None: this program's `worker` with this "
         "topology.")
      .add("folder", &c::folder, path(), "For a file and a log of each worker.")
      .add("prefix", &c::prefix, text(), "Begins their names.")
      .add("grace", &c::grace, time_span(duration{0}), "From SIGTERM to SIGKILL.")
      .add("most", &c::most, whole(1, 100'000), "Workers at a time, whatever is wanted.");
  return s;
}

} // namespace

shape_of<scaling_config> scaling_shape() {
  using c = scaling_config;
  auto threshold = object<threshold_policy_config>();
  threshold
      ->add("out", &threshold_policy_config::out, list_of<threshold_rule_config>(threshold_rule()),
            "Workers come if one of them holds.")
      .add("in", &threshold_policy_config::in, list_of<threshold_rule_config>(threshold_rule()),
           "Workers go if all of them hold, and that would not bring them back at once.");
  auto prometheus = object<prometheus_config>();
  prometheus->add("url", &prometheus_config::url, text(), "Of the server; a path before `/api/v1` is kept.")
      .add("token_file", &prometheus_config::token_file, path(true), "File with a bearer token.");
  auto exec = object<exec_fleet_config>();
  exec->add("command", &exec_fleet_config::command, words(), "The program and its arguments.")
      .add("limit", &exec_fleet_config::limit, above_zero(), "Of one call; then it is killed.");

  auto s = object<c>();
  s->add("enabled", &c::enabled, boolean(), "Decide in the head. Otherwise `penstock scale` does.")
      .add("role", &c::role, text(true), "The role that is scaled, within its `scale`; none: the one that decodes.")
      .add("fleet", &c::fleet,
           choice<fleet_kind>({{"advise", fleet_kind::advise},
                               {"process", fleet_kind::process},
                               {"vmss", fleet_kind::vmss},
                               {"exec", fleet_kind::exec}}),
           "What starts and stops machines; `advise` only says what it would do.")
      .add("objective", &c::objective, above_zero(),
           "Time from a frame's capture, or a request's arrival, to its result. What takes longer, or is given up for "
           "want of room, is late: see [Metrics](metrics.md#signals).")
      .add("source", &c::source,
           choice<scaling_source>({{"head", scaling_source::head}, {"prometheus", scaling_source::prometheus}}),
           "Where signals are read: `head` asks the head itself, `prometheus` a server that scrapes it.")
      .add("heads", &c::heads, words(),
           "Doors of the heads, as `http://HOST:PORT`: they tell who works, and drain workers. None: the one of "
           "`nodes.ROLE.http`, on this machine where it listens everywhere.")
      .add("token_file", &c::token_file, path(true),
           "File with a token for those doors, of scope `admin`. None: the environment's `PENSTOCK_TOKEN`.")
      .add("prometheus", &c::prometheus, prometheus, "The server of `source: prometheus`.")
      .add("interval", &c::interval, time_span(milliseconds{100}), "Between two decisions.")
      .add("window", &c::window, time_span(seconds{1}),
           "What was done and what was late is counted over it; with `prometheus` of at least two scrapes.")
      .add("stale_after", &c::stale_after, above_zero(), "Older signals freeze the fleet.")
      .add("policies", &c::policies, list_of<std::string>(word(&vocabulary::policies)),
           "How many are wanted: the largest answer counts.")
      .add("rate", &c::rate, rate_policy(), "As many as arrivals need, by the rate at which busy workers work.")
      .add("threshold", &c::threshold, threshold, "The classic rules of scale sets.")
      .add("schedule", &c::schedule, schedule_policy(), "Minimums by time of week.")
      .add("max_step", &c::max_step, whole(1), "Most that come, or go, by one decision.")
      .add("drain_timeout", &c::drain_timeout, above_zero(),
           "An instance that has not drained by then is retired all the same; what it holds goes to others.")
      .add("boot_limit", &c::boot_limit, above_zero(), "An instance without a ready worker for so long is replaced.")
      .add("allocation_patience", &c::allocation_patience, above_zero(),
           "How long instances that were asked for may take to appear in the fleet.")
      .add("ask_again_after", &c::ask_again_after, above_zero(),
           "What the fleet could not give is asked for again then.")
      .add("repeat_after", &c::repeat_after, above_zero(), "A retirement without effect is repeated then.")
      .add("lease", &c::lease, time_span(seconds{1}),
           "Where several controllers share the stores of `jobs`, one of them decides; another one takes over this "
           "long after it was heard last.")
      .add("process", &c::process, process(), "Workers as processes of this machine.")
      .add("vmss", &c::vmss, vmss(), "A scale set of Azure. See [Azure](azure.md).")
      .add("exec", &c::exec, exec, "Any command. See [Scaling](scaling.md#exec).")
      .add("advise", &c::advise, advise(), "Metrics alone.");
  return s;
}

} // namespace penstock::topology
