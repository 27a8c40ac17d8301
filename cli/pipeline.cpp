#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>

#include "actors/node.hpp"
#include "cli/command.hpp"
#include "cli/fleet.hpp"
#include "cli/frame_buffers.hpp"
#include "cli/head_scaling.hpp"
#include "cli/inspect.hpp"
#include "cli/ledger_report.hpp"
#include "cli/logging.hpp"
#include "cli/pipeline.hpp"
#include "cli/progress.hpp"
#include "cli/serve_metrics.hpp"
#include "cli/signals.hpp"
#include "cli/topology_file.hpp"
#include "front/door.hpp"

namespace penstock::cli {

namespace {

/// Waits until every stream has finished, showing how far it is; the first signal drains, the second stops at once.
void wait_for_end(actors::node& node, front::door* door, head_scaling* scaling, const signals& stop,
                  std::chrono::microseconds grace, progress& shown) {
  constexpr int show_interval_ms = 200;
  int signals_taken = 0;
  while (!node.finished()) {
    pollfd fds[] = {{stop.fd(), POLLIN, 0}, {node.finished_fd(), POLLIN, 0}};
    ::poll(fds, 2, show_interval_ms);
    while (stop.take()) {
      shown.clear();
      if (++signals_taken == 1) {
        spdlog::info("finishing what was read, for at most {:.1f} s; a second signal stops at once",
                     core::seconds{grace}.count());
        if (scaling != nullptr) scaling->stop();
        if (door != nullptr) door->stop_jobs();
      }
      node.shut_down(signals_taken == 1 ? grace : std::chrono::microseconds{0});
    }
    shown.show(node.report(), core::clock::now());
  }
  shown.clear();
}

nlohmann::ordered_json figures(const actors::run_report& report, core::seconds elapsed) {
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  for (const auto& stream : report.streams) {
    received += stream.ledger.received;
    delivered += stream.ledger.delivered;
  }
  auto document = ledger_json(report);
  document["seconds"] = elapsed.count();
  document["frames_received"] = received;
  document["frames_delivered"] = delivered;
  document["frames_per_s"] = elapsed.count() > 0 ? static_cast<double>(received) / elapsed.count() : 0.0;
  return document;
}

void print_summary(const actors::run_report& report, core::seconds elapsed) {
  fmt::print("{}", ledger_table(report));
  std::uint64_t received = 0;
  for (const auto& stream : report.streams) received += stream.ledger.received;
  fmt::print("{} frames in {:.2f} s, {:.1f} frames/s\n", received, elapsed.count(),
             static_cast<double>(received) / elapsed.count());
  std::size_t listed = 0;
  constexpr std::size_t most_listed = 20;
  for (const auto& stream : report.streams) {
    for (const auto& output : stream.outputs) {
      if (listed++ < most_listed) fmt::print("results: {}\n", output);
    }
  }
  if (listed > most_listed) fmt::print("… and {} more\n", listed - most_listed);
}

int report_end(const pipeline_arguments& args, const actors::run_report& report, core::seconds elapsed) {
  int code = report.lost_something() ? exit_failed : exit_done;
  const auto write = [&code](const std::string& file, const nlohmann::ordered_json& document) {
    if (file.empty()) return;
    if (const auto written = write_json(file, document); !written) {
      spdlog::error("{}", written.error().message);
      code = exit_failed;
    }
  };
  // With figures on standard output nothing else goes there.
  if (args.json != "-" && args.ledger != "-") print_summary(report, elapsed);
  write(args.ledger, ledger_json(report));
  write(args.json, figures(report, elapsed));
  std::fflush(stdout);
  return code;
}

/// For answers that are ready, but not sent, when all work is done.
constexpr std::chrono::seconds door_grace{2};

/// Whether producers or subscribers connect to it.
bool serves_programs(const topology::config& config) {
  return std::ranges::any_of(config.nodes, [](const auto& role) { return !role.ingest.listen.empty(); }) ||
         std::ranges::any_of(config.sinks, [](const auto& sink) { return !sink.listen.empty(); });
}

} // namespace

int run_pipeline(const pipeline_arguments& args, const std::optional<std::string>& wanted_role) {
  keep_frame_buffers();
  const signals stop;
  start_logging(args.log);
  const auto topology = load_or_report(args.topology);
  if (!topology) return exit_bad_config;
  const auto& config = topology->config;
  actors::node_options options;
  options.version = PENSTOCK_VERSION;
  options.fresh = args.fresh;
  if (wanted_role) {
    const auto role = find_role(*topology, *wanted_role, topology::stage::source);
    const auto keys = role ? keys_of(*topology, role->role, "head") : tl::unexpected{role.error()};
    if (!keys) {
      report({place_error(*topology, keys.error())});
      return exit_bad_config;
    }
    options.role = role->role;
    options.listen = args.listen;
    options.keys = *keys;
    options.epoch = static_cast<std::uint32_t>(std::time(nullptr)); // above those before, if clocks do not go back
  }
  if (!wanted_role && serves_programs(config)) {
    const auto keys = keys_of(*topology, "head", "head");
    if (!keys) {
      report({place_error(*topology, keys.error())});
      return exit_bad_config;
    }
    options.keys = *keys;
  }
  // Before the node, which tells it what happens, and gone after it.
  std::optional<front::door> door;
  if (const auto* role = front::role_with_door(config, options.role)) {
    door.emplace(config, *role);
    options.door = door->for_node();
  }
  auto node = actors::node::start(config, options);
  if (!node) {
    report({place_error(*topology, node.error())});
    return node.error().code == core::errc::io ? exit_failed : exit_bad_config;
  }
  const auto began = core::clock::now();
  if (!(*node)->model_line().empty()) spdlog::info("{}", (*node)->model_line());

  auto& running = **node;
  const auto server = serve_metrics(args.metrics.empty() ? config.metrics.listen : args.metrics,
                                    {[&running] { return running.metrics().expose(); },
                                     [&running] { return !running.report().failure.has_value(); },
                                     [&running] { return running.ready(); }});
  if (!server) return server.error();

  if (door) {
    const auto opened = door->open(running, fleet_name(), PENSTOCK_VERSION, [] { ::kill(::getpid(), SIGTERM); });
    if (!opened) {
      report({place_error(*topology, opened.error())});
      return opened.error().code == core::errc::io ? exit_failed : exit_bad_config;
    }
  }

  std::unique_ptr<head_scaling> scaling;
  if (wanted_role && config.scaling && config.scaling->enabled) {
    auto started = head_scaling::start(*topology, args.topology, running);
    if (!started) {
      report({place_error(*topology, started.error())});
      const auto code = started.error().code;
      return code == core::errc::bad_config || code == core::errc::unsupported ? exit_bad_config : exit_failed;
    }
    scaling = std::move(*started);
  }

  progress shown{args.quiet ? progress::style::none : progress::automatic(), began};
  wait_for_end(running, door ? &*door : nullptr, scaling.get(), stop, config.shutdown.grace, shown);
  scaling.reset();
  if (door) door->close(door_grace);
  const auto report = running.report();
  const auto code = report_end(args, report, core::clock::now() - began);
  if (report.abandoned) std::_Exit(code); // a thread hangs in a system call and cannot be joined
  return code;
}

void add_pipeline_options(CLI::App& command, pipeline_arguments& args) {
  add_topology_arguments(command, args.topology);
  add_log_options(command, args.log);
  command.add_option("--metrics", args.metrics, "Serve /metrics, /healthz and /readyz here")->type_name("HOST:PORT");
  command.add_option("--ledger", args.ledger, "Write the ledger as JSON; - for standard output")->type_name("FILE");
  command.add_option("--json", args.json, "Write ledger and figures as JSON; - for standard output")->type_name("FILE");
  command.add_flag("--fresh", args.fresh, "Forget the checkpoint and begin anew");
  command.add_flag("--quiet", args.quiet, "Show no progress");
}

} // namespace penstock::cli
