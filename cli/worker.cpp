#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <string>

#include "actors/head_client.hpp"
#include "actors/worker_node.hpp"
#include "cli/command.hpp"
#include "cli/event_drain.hpp"
#include "cli/fleet.hpp"
#include "cli/frame_buffers.hpp"
#include "cli/inspect.hpp"
#include "cli/logging.hpp"
#include "cli/serve_metrics.hpp"
#include "cli/signals.hpp"
#include "cli/topology_file.hpp"

namespace penstock::cli {

namespace {

struct arguments {
  topology_arguments topology;
  log_options log;
  std::string head;
  std::string role;
  std::string name;
  std::string keys;
  std::string metrics;
  bool scheduled_events = false;
  std::string metadata = "http://169.254.169.254";
};

/// The topology from the file, or from the head; otherwise what the program returns.
tl::expected<topology::loaded, int> load(const arguments& args, const signals& stop) {
  if (!args.topology.file.empty()) {
    auto loaded = load_or_report(args.topology);
    if (!loaded) return tl::unexpected{exit_bad_config};
    return std::move(*loaded);
  }
  auto keys = keys_in(args.keys, args.name, args.role.empty() ? "worker" : args.role);
  if (!keys) {
    fmt::print(stderr, "--keys: {}\n", keys.error().message);
    return tl::unexpected{exit_bad_config};
  }
  const auto text =
      actors::fetch_topology({args.head, *keys, "penstock " PENSTOCK_VERSION}, [&stop] { return stop.take(); });
  if (!text) {
    if (text.error().code == core::errc::cancelled) return tl::unexpected{exit_done};
    fmt::print(stderr, "--head: {}\n", text.error().message);
    return tl::unexpected{text.error().code == core::errc::io ? exit_failed : exit_bad_config};
  }
  topology::load_options options;
  options.vocabulary = known_words();
  options.overrides = args.topology.overrides;
  options.check_files = false; // streams are the head's; the model's absence is found when it is loaded
  auto loaded = topology::load_text(*text, args.head, options);
  report(loaded ? loaded->notes : loaded.error());
  if (!loaded) return tl::unexpected{exit_bad_config};
  if (!args.keys.empty()) loaded->config.security.keys = args.keys;
  return std::move(*loaded);
}

/// Waits until the worker has left; the first signal drains it, the second leaves at once. True if one came.
bool wait_for_end(actors::worker_node& worker, const signals& stop, std::chrono::microseconds grace) {
  int signals_taken = 0;
  while (!worker.finished()) {
    pollfd fds[] = {{stop.fd(), POLLIN, 0}, {worker.finished_fd(), POLLIN, 0}};
    ::poll(fds, 2, -1);
    while (stop.take()) worker.leave(++signals_taken == 1 ? grace : std::chrono::microseconds{0});
  }
  return signals_taken > 0;
}

int run_worker(const arguments& args) {
  keep_frame_buffers();
  const signals stop;
  start_logging(args.log);
  const auto topology = load(args, stop);
  if (!topology) return topology.error();
  const auto bad = [&](const core::error& error) {
    report({place_error(*topology, error)});
    return error.code == core::errc::io ? exit_failed : exit_bad_config;
  };
  const auto role = find_role(*topology, args.role, topology::stage::decode);
  if (!role) return bad(role.error());
  const auto keys = keys_of(*topology, args.name, role->role);
  if (!keys) return bad(keys.error());

  actors::worker_node_options options;
  options.version = PENSTOCK_VERSION;
  options.metrics = std::make_shared<metrics::registry>(static_cast<std::size_t>(topology->config.metrics.streams));
  options.role = role->role;
  options.name = args.name;
  options.dial = args.head.empty() ? role->dial : args.head;
  options.keys = *keys;
  if (options.dial.empty())
    return bad({core::errc::bad_config, fmt::format("nodes.{}.dial: is missing; or give --head", role->role)});
  // It tells how it is while it loads its model, too.
  const auto server = serve_metrics(
      args.metrics, {[all = options.metrics] { return all->expose(); }, [] { return true; },
                     [standing = options.standing] { return standing->get() == core::worker_phase::ready; }});
  if (!server) return server.error();
  if (*server) options.metrics_address = metrics_address(args.metrics, (*server)->port(), options.dial);

  auto worker = actors::worker_node::start(topology->config, options);
  if (!worker) return bad(worker.error());
  spdlog::info("{}: {}", args.name, (*worker)->model_line());

  auto& running = **worker;
  std::optional<event_drain> events;
  if (args.scheduled_events || role->scheduled_events)
    events.emplace(args.metadata, [&running](std::chrono::microseconds grace) { running.leave(grace); });
  const bool was_told = wait_for_end(running, stop, topology->config.shutdown.grace);
  const auto refusal = running.refusal();
  const bool for_event = events && (events->is_wished() || (events->has_asked() && !was_told));
  if (refusal.empty() && for_event && events->see_through(stop)) {
    spdlog::warn("the machine stays; to be started again");
    return exit_failed;
  }
  if (refusal.empty()) return exit_done;
  fmt::print(stderr, "the head refuses this worker: {}\n", refusal);
  return exit_bad_config;
}

} // namespace

void add_worker(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("worker", "Work for a head on another machine, until a signal");
  auto args = std::make_shared<arguments>();
  args->name = fleet_name();
  auto* file = command->add_option("file", args->topology.file, "Topology file; without it the head is asked")
                   ->type_name("FILE");
  command->add_option("--set", args->topology.overrides, "Replace a value of the topology; repeatable")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  add_log_options(*command, args->log);
  auto* head = command->add_option("--head", args->head, "The head's address, instead of the role's `dial`")
                   ->type_name("ADDRESS");
  command->add_option("--role", args->role, "The role of `nodes`; the one that decodes unless given")
      ->type_name("ROLE");
  command->add_option("--name", args->name, "Name in the fleet; made from this machine's unless given")
      ->type_name("NAME");
  command->add_option("--keys", args->keys, "Folder of keys, where the topology comes from the head")
      ->type_name("FOLDER");
  command->add_option("--metrics", args->metrics, "Serve /metrics, /healthz and /readyz here")->type_name("HOST:PORT");
  command->add_flag("--scheduled-events", args->scheduled_events,
                    "Leave in time when Azure is to take this machine away, as `scheduled_events: true` of the role");
  command->add_option("--metadata", args->metadata, "Azure's metadata service")
      ->type_name("URL")
      ->capture_default_str();
  command->callback([args, file, head, &exit] {
    if (file->count() == 0 && head->count() == 0) throw CLI::RequiredError("FILE or --head");
    exit = run_worker(*args);
  });
}

} // namespace penstock::cli
