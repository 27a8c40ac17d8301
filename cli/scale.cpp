#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/inspect.hpp"
#include "cli/logging.hpp"
#include "cli/scaling_loop.hpp"
#include "cli/scaling_parts.hpp"
#include "cli/serve_metrics.hpp"
#include "cli/signal_watch.hpp"
#include "cli/topology_file.hpp"
#include "metrics/families.hpp"
#include "topology/check_scaling.hpp"

namespace penstock::cli {

namespace {

struct arguments {
  topology_arguments topology;
  log_options log;
  std::string metrics;
  std::string json;
  std::string head;
  bool dry_run = false;
  bool once = false;
};

core::expected<scaling::scaler> open(const topology::config& config, const scaling::scaling_plan& plan, bool acts,
                                     metrics::registry& metrics) {
  scaling::scaler_parts parts;
  auto source = open_source(plan);
  if (!source) return tl::unexpected{source.error()};
  parts.source = std::move(*source);
  if (acts) {
    auto workers = open_workforce(plan);
    if (!workers) return tl::unexpected{workers.error()};
    parts.workers = std::move(*workers);
    auto lead = open_leader(config, plan);
    if (!lead) return tl::unexpected{lead.error()};
    parts.lead = std::move(*lead);
  }
  // One that only explains must not take the workers of one that acts.
  auto fleet = plan.fleet;
  if (!acts) {
    fleet.kind = "advise";
    fleet.advise.azure_monitor.reset();
  }
  auto machines = open_fleet(fleet);
  if (!machines) return core::fail("scaling", machines.error());
  parts.machines = std::move(*machines);
  parts.policies = [plan] { return policies_of(plan); };
  parts.shown = metrics.scaling(plan.role);
  return scaling::scaler{plan.controlling, std::move(parts), acts};
}

int decide_once(scaling::scaler& scaler, round_teller& teller) {
  const auto round = scaler.step();
  teller.tell(round);
  if (auto resigned = scaler.stop(); !resigned) spdlog::warn("{}", resigned.error().message);
  const bool decided = round.made && !round.made->is_frozen();
  return decided || !round.led_by.empty() ? exit_done : exit_failed;
}

int scale(const arguments& args) {
  const signal_watch stop;
  start_logging(args.log);
  const auto topology = load_or_report(args.topology);
  if (!topology) return exit_bad_config;
  const auto& config = topology->config;
  const auto bad = [&](const core::error& error) {
    report({place_error(*topology, error)});
    return error.code == core::errc::bad_config || error.code == core::errc::unsupported ? exit_bad_config
                                                                                         : exit_failed;
  };
  const auto* role = topology::scaled_role(config);
  const auto plan = plan_scaling(*topology, worker_command(args.topology.file, args.topology.overrides,
                                                           role == nullptr ? "" : role->role, args.head));
  if (!plan) return bad(plan.error());

  metrics::registry metrics;
  metrics.set_build_info(PENSTOCK_VERSION);
  auto scaler = open(config, *plan, !args.dry_run, metrics);
  if (!scaler) return bad(scaler.error());
  auto events = event_file::open(args.json);
  if (!events) {
    fmt::print(stderr, "--json: {}\n", events.error().message);
    return exit_failed;
  }
  round_teller teller{plan->role, std::move(*events)};
  const auto server =
      serve_metrics(args.metrics, {[&metrics] { return metrics.expose(); }, [] { return true; }, [] { return true; }});
  if (!server) return server.error();
  if (args.once) return decide_once(*scaler, teller);
  const auto keep_every = std::chrono::duration_cast<std::chrono::milliseconds>(plan->lease / 4);
  run_scaling(*scaler, teller, plan->interval, keep_every, stop.token());
  spdlog::info("scaling {}: over; the fleet stays as it is", plan->role);
  return exit_done;
}

} // namespace

void add_scale(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("scale", "Decide how many workers there are, from metrics, until a signal");
  auto args = std::make_shared<arguments>();
  add_topology_arguments(*command, args->topology);
  add_log_options(*command, args->log);
  command->add_flag("--dry-run", args->dry_run, "Say what would be done, and do nothing");
  command->add_flag("--once", args->once, "Decide once and end; exit status 1 where nothing can be decided");
  command->add_option("--metrics", args->metrics, "Serve /metrics, /healthz and /readyz here")->type_name("HOST:PORT");
  command->add_option("--json", args->json, "Append each decision as a line of JSON; - for standard output")
      ->type_name("FILE");
  command->add_option("--head", args->head, "Where workers that are processes of this machine dial, instead of `dial`")
      ->type_name("ADDRESS");
  command->callback([args, &exit] { exit = scale(*args); });
}

} // namespace penstock::cli
