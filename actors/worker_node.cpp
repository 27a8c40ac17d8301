#include "actors/worker_node.hpp"

#include <algorithm>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <mutex>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/actor_runtime.hpp"
#include "actors/link_events.hpp"
#include "actors/reachable_address.hpp"
#include "actors/remote_head.hpp"
#include "actors/stage_figures.hpp"
#include "actors/stages.hpp"
#include "actors/stages_digest.hpp"
#include "core/cores.hpp"

namespace penstock::actors {

struct worker_node::impl {
  topology::config topology;
  prepared_stages prepared;
  std::shared_ptr<metrics::registry> metrics;
  std::unique_ptr<end_signal> finished;
  mutable std::mutex mutex;
  std::string refusal;
  std::shared_ptr<transport::hub> hub;
  std::optional<actor_runtime> runtime;
  remote_head_actor head;
  std::vector<caf::strong_actor_ptr> stages;

  ~impl() {
    for (const auto& stage : stages)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(stage), caf::exit_reason::user_shutdown);
    if (head) {
      caf::anon_send(head, leave_fleet{}); // unless it has left: the head need not wait for it
      caf::anon_send_exit(head, caf::exit_reason::user_shutdown);
    }
    stages.clear();
    head = nullptr;
    if (runtime) runtime->system().await_all_actors_done();
    hub.reset(); // its thread sends to actors of the system
    if (runtime) runtime->stop();
  }

  /// The stages of a role that takes leases.
  core::expected<void> spawn_worker(const transport::hello& hello);
  /// The stages of a role behind a link.
  core::expected<void> spawn_stages_for_others(const transport::hello& hello, const worker_node_options& options,
                                               const std::string& listen);

  void refused(std::string why) {
    {
      const std::lock_guard lock{mutex};
      refusal = std::move(why);
    }
    finished->raise();
  }
};

namespace {

/// The names of a part's stages, and of those of the part at the other end of its link.
std::vector<std::string> names_of(topology::part p) {
  std::vector<std::string> names;
  const auto text = topology::stages_of(p);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(", ", at), text.size());
    names.emplace_back(text.substr(at, end - at));
    at = end + 2;
  }
  return names;
}

core::expected<std::shared_ptr<transport::hub>> start_hub(const worker_node_options& options) {
  transport::hub_options with;
  with.keys = options.keys;
  auto hub = transport::hub::start(std::move(with));
  if (!hub) return tl::unexpected{hub.error()};
  return std::shared_ptr<transport::hub>{std::move(*hub)};
}

} // namespace

core::expected<void> worker_node::impl::spawn_worker(const transport::hello& hello) {
  auto& system = runtime->system();
  attach_worker attached;
  attached.figures = figures_of(prepared, topology.stages, *metrics);
  if (prepared.part == topology::part::whole) {
    auto worker = spawn_stages(system, topology, prepared, *metrics, head_inbox{head});
    stages = std::move(worker.actors);
    attached.worker = worker.worker;
    caf::anon_send(head, std::move(attached));
    return {};
  }
  stage_link_config link_with;
  link_with.hub = hub;
  link_with.hello = hello;
  // Before the head takes the segment away and counts that against it.
  link_with.patience = std::chrono::duration_cast<std::chrono::milliseconds>(topology.dispatch.stall_timeout) / 2;
  auto made = spawn_before_link(system, topology, prepared, *metrics, link_with, head_inbox{head});
  stages = std::move(made.worker.actors);
  attached.worker = made.worker.worker;
  attached.on_directory = [link = made.link](const transport::directory& entry) { caf::anon_send(link, entry); };
  caf::anon_send(head, std::move(attached));
  return {};
}

core::expected<void> worker_node::impl::spawn_stages_for_others(const transport::hello& hello,
                                                                const worker_node_options& options,
                                                                const std::string& listen) {
  auto& system = runtime->system();
  stage_gate_config gate_with;
  gate_with.hub = hub;
  gate_with.stages = names_of(topology::counterpart(prepared.part));
  gate_with.config_digest = hello.config_digest;
  gate_with.on_drained = [to = head] { caf::anon_send(to, stage_drained{}); };
  auto made = spawn_behind_link(system, topology, prepared, *metrics, gate_with);
  stages = std::move(made.actors);
  auto bound = hub->listen(listen, events_to(made.gate), topology.security.insecure);
  if (!bound) return core::fail(fmt::format("nodes.{}.listen", options.role), bound.error());
  auto address = reachable_address(*bound, options.dial);
  if (!address) return core::fail(fmt::format("nodes.{}.listen", options.role), address.error());
  spdlog::info("those that send here dial {}", *address);
  attach_worker attached;
  attached.figures = figures_of(prepared, topology.stages, *metrics);
  attached.listen = std::move(*address);
  if (options.keys) attached.listen += ' ' + options.keys->own.public_key; // its links are not the head's
  attached.on_leaving = [gate = made.gate] { caf::anon_send(gate, drain_stage{}); };
  caf::anon_send(head, std::move(attached));
  return {};
}

core::expected<std::unique_ptr<worker_node>> worker_node::start(const topology::config& topology,
                                                                const worker_node_options& options) {
  auto state = std::make_unique<impl>();
  state->topology = topology;
  const auto role = std::ranges::find(topology.nodes, options.role, &topology::node_config::role);
  if (role == topology.nodes.end())
    return core::fail(core::errc::bad_config, fmt::format("nodes: no role \"{}\"", options.role));
  auto digest = stages_digest(topology);
  if (!digest) return tl::unexpected{digest.error()};
  const auto part = topology::part_of(*role);
  state->metrics = options.metrics;
  state->metrics->set_build_info(options.version);
  auto finished = end_signal::make();
  if (!finished) return tl::unexpected{finished.error()};
  state->finished = std::move(*finished);
  auto hub = start_hub(options);
  if (!hub) return tl::unexpected{hub.error()};
  state->hub = std::move(*hub);
  const auto cores = options.cores > 0 ? options.cores : core::usable_cores();
  state->runtime.emplace(cores);

  remote_head_config head_with;
  head_with.hub = state->hub;
  auto& hello = head_with.hello;
  hello.software = "penstock " + options.version;
  hello.role = options.role;
  hello.name = options.name;
  hello.stages = names_of(part);
  hello.metrics = options.metrics_address;
  hello.config_digest = std::move(*digest);
  head_with.on_left = [signal = state->finished.get()] { signal->raise(); };
  head_with.on_refused = [raw = state.get()](std::string why) { raw->refused(std::move(why)); };
  head_with.on_phase = [standing = options.standing,
                        series = state->metrics->worker_phase(options.role)](core::worker_phase phase) {
    standing->put(phase);
    for (const auto each : core::all_worker_phases) series[static_cast<std::size_t>(each)].set(each == phase ? 1 : 0);
  };
  head_with.links = state->metrics->links();
  state->head = state->runtime->system().spawn(remote_head, head_with);
  if (auto dialled = state->hub->dial(options.dial, dialler_events_to(state->head)); !dialled)
    return core::fail("dial", dialled.error());

  auto prepared = prepare_role(topology, *role, cores);
  if (!prepared) return tl::unexpected{prepared.error()};
  state->prepared = std::move(*prepared);
  const auto& info = state->prepared.model.info;
  if (!info.name.empty()) state->metrics->set_model_info(info.name, info.digest, info.engine, info.device);
  auto spawned =
      topology::takes_items(part)
          ? state->spawn_stages_for_others(hello, options, options.listen.empty() ? role->listen : options.listen)
          : state->spawn_worker(hello);
  if (!spawned) return tl::unexpected{spawned.error()};
  return std::unique_ptr<worker_node>{new worker_node{std::move(state)}};
}

worker_node::worker_node(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
worker_node::~worker_node() = default;

int worker_node::finished_fd() const noexcept { return impl_->finished->fd(); }
bool worker_node::finished() const noexcept { return impl_->finished->raised(); }
const std::string& worker_node::model_line() const noexcept { return impl_->prepared.line; }

std::string worker_node::refusal() const {
  const std::lock_guard lock{impl_->mutex};
  return impl_->refusal;
}

void worker_node::leave(std::chrono::microseconds grace) { caf::anon_send(impl_->head, leave_fleet{grace}); }

} // namespace penstock::actors
