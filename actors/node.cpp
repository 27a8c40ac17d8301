#include "actors/node.hpp"

#include <algorithm>
#include <atomic>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <ctime>
#include <fmt/format.h>
#include <optional>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/actor_runtime.hpp"
#include "actors/head.hpp"
#include "actors/link_events.hpp"
#include "actors/push_gate.hpp"
#include "actors/resume.hpp"
#include "actors/stage_figures.hpp"
#include "actors/stages.hpp"
#include "actors/stages_digest.hpp"
#include "core/cores.hpp"
#include "inference/labels.hpp"
#include "topology/load.hpp"

namespace penstock::actors {

struct node::impl {
  topology::config topology;
  std::optional<prepared_stages> prepared; ///< none where all workers are elsewhere
  std::string model_line;
  std::string engine;
  std::string device;
  std::string address; ///< where workers dial; empty where they cannot
  std::shared_ptr<metrics::registry> metrics;
  std::shared_ptr<report_board> board = std::make_shared<report_board>();
  std::unique_ptr<end_signal> finished;
  std::atomic<bool> stopping{false};
  std::shared_ptr<transport::hub> hub;
  std::optional<actor_runtime> runtime;
  head_actor head;
  worker_gate_actor gate;
  std::unique_ptr<transport::raw_door> push_door;
  push_gate_actor pushes;
  std::vector<caf::strong_actor_ptr> stages;
  std::shared_ptr<const std::vector<std::string>> labels;
  media::decode_options decode;
  std::atomic<std::uint64_t> tickets{0};

  ~impl() {
    for (const auto& stage : stages)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(stage), caf::exit_reason::user_shutdown);
    if (gate) caf::anon_send_exit(gate, caf::exit_reason::user_shutdown);
    if (pushes) caf::anon_send_exit(pushes, caf::exit_reason::user_shutdown);
    if (head) caf::anon_send_exit(head, caf::exit_reason::user_shutdown);
    stages.clear();
    gate = nullptr;
    pushes = nullptr;
    head = nullptr;
    if (runtime) runtime->system().await_all_actors_done();
    push_door.reset();
    hub.reset(); // its thread sends to actors of the system
    if (runtime) runtime->stop();
  }

  /// The thread of all sockets, started when it is first needed.
  core::expected<void> need_hub(const node_options& options);
  /// Sockets for the results of sinks that publish.
  core::expected<std::vector<std::shared_ptr<transport::publisher>>> open_publishers(const node_options& options);
  /// Opens the door for programs that push video.
  core::expected<void> open_ingest(const topology::node_config& role, const node_options& options);
  /// Opens the door for workers of other machines.
  core::expected<void> open_gate(const topology::node_config& role, const node_options& options, std::uint32_t epoch);
};

namespace {

/// What a head without stages knows of its model: the names of its classes.
core::expected<std::shared_ptr<const std::vector<std::string>>> labels_of(const topology::config& topology) {
  std::vector<std::string> labels;
  if (!topology.stages.postprocess.labels.empty()) {
    auto loaded = inference::load_labels(topology.stages.postprocess.labels);
    if (!loaded) return core::fail("stages.postprocess.labels", loaded.error());
    labels = std::move(*loaded);
  }
  return std::make_shared<const std::vector<std::string>>(std::move(labels));
}

bool works(const topology::node_config& role) {
  return std::ranges::find(role.stages, topology::stage::decode) != role.stages.end();
}

} // namespace

core::expected<void> node::impl::open_gate(const topology::node_config& role, const node_options& options,
                                           std::uint32_t epoch) {
  auto digest = stages_digest(topology);
  if (!digest) return tl::unexpected{digest.error()};
  if (auto there = need_hub(options); !there) return core::fail("nodes." + role.role, there.error());

  worker_gate_config gate_with;
  gate_with.hub = hub;
  gate_with.epoch = epoch;
  gate_with.lease_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(topology.dispatch.lease_timeout);
  for (const auto& other : topology.nodes)
    if (other.role != role.role) gate_with.roles.push_back(other.role);
  gate_with.config_digest = std::move(*digest);
  auto shown = topology;
  shown.http = {}; // who may come in here is no business of other machines, nor is who starts and stops them
  shown.scaling.reset();
  gate_with.topology = topology::to_yaml(shown);
  gate_with.links = metrics->links();
  gate_with.late_reports = metrics->dispatch().late_reports;
  gate = runtime->system().spawn(worker_gate, gate_with, gate_outlet{head});

  const auto& listen = options.listen.empty() ? role.listen : options.listen;
  auto bound = hub->listen(listen, events_to(gate), topology.security.insecure);
  if (!bound) return core::fail(fmt::format("nodes.{}.listen", role.role), bound.error());
  address = std::move(*bound);
  spdlog::info("workers may dial {}", address);
  return {};
}

core::expected<void> node::impl::need_hub(const node_options& options) {
  if (hub) return {};
  transport::hub_options hub_with;
  hub_with.keys = options.keys;
  auto started = transport::hub::start(std::move(hub_with));
  if (!started) return tl::unexpected{started.error()};
  hub = std::move(*started);
  return {};
}

core::expected<std::vector<std::shared_ptr<transport::publisher>>>
node::impl::open_publishers(const node_options& options) {
  std::vector<std::shared_ptr<transport::publisher>> all;
  for (std::size_t i = 0; i < topology.sinks.size(); ++i) {
    all.emplace_back();
    if (topology.sinks[i].listen.empty()) continue;
    const auto place = fmt::format("sinks.{}.listen", i);
    if (auto there = need_hub(options); !there) return core::fail(place, there.error());
    auto opened = transport::publisher::open(*hub, topology.sinks[i].listen, topology.security.insecure);
    if (!opened) return core::fail(place, opened.error());
    all.back() = std::move(*opened);
    spdlog::info("results are published on {}", all.back()->address());
  }
  return all;
}

core::expected<void> node::impl::open_ingest(const topology::node_config& role, const node_options& options) {
  namespace push = transport::push;
  const auto place = fmt::format("nodes.{}.ingest.listen", role.role);
  if (auto there = need_hub(options); !there) return core::fail(place, there.error());
  push_gate_config config;
  config.max_pixels = static_cast<std::uint64_t>(topology.media.max_pixels);
  config.streams_per_peer = static_cast<std::size_t>(role.ingest.streams);
  // The gate comes first, and hears nothing before there is a door.
  const auto door = std::make_shared<std::atomic<transport::raw_door*>>(nullptr);
  const auto ready = [door] {
    door->wait(nullptr);
    return door->load();
  };
  config.send = [ready](transport::peer_id peer, const push::message& m) { ready()->send(peer, push::encode(m)); };
  config.shut_out = [ready](transport::peer_id peer, const push::error& m) {
    ready()->shut_out(peer, push::encode(m));
  };
  pushes = runtime->system().spawn(push_gate, config, push_outlet{head});
  transport::raw_events events;
  events.received = [to = pushes](transport::peer_id peer, std::vector<transport::shared_bytes>&& parts) {
    caf::anon_send(to, pushed_message{peer, std::make_shared<std::vector<transport::shared_bytes>>(std::move(parts))});
  };
  events.lost = [to = pushes](transport::peer_id peer, const core::error& why) {
    caf::anon_send(to, pusher_gone{peer, why});
  };
  transport::raw_options with;
  // An opening and a grant for each of its streams may come at once.
  constexpr std::size_t most_answers = 200'000;
  with.answers = std::min(2 * config.streams_per_peer + 1000, most_answers);
  with.probe = push::encode(push::alive{}).header;
  auto opened =
      transport::raw_door::open(*hub, role.ingest.listen, std::move(events), topology.security.insecure, with);
  if (!opened) return core::fail(place, opened.error());
  push_door = std::move(*opened);
  *door = push_door.get();
  door->notify_all();
  spdlog::info("producers may push to {}", push_door->address());
  return {};
}

core::expected<std::unique_ptr<node>> node::start(const topology::config& topology, const node_options& options) {
  auto state = std::make_unique<impl>();
  state->topology = topology;
  state->metrics = std::make_shared<metrics::registry>(static_cast<std::size_t>(topology.metrics.streams));
  auto streams = topology::expand_streams(topology);
  if (!streams) return core::fail("streams", streams.error());
  const auto role = std::ranges::find(topology.nodes, options.role, &topology::node_config::role);
  const auto* gate_role = role == topology.nodes.end() || role->listen.empty() ? nullptr : &*role;
  state->metrics->set_build_info(options.version);

  head_config head_with;
  const auto cores = options.cores > 0 ? options.cores : core::usable_cores();
  if (options.role.empty() || works(*role)) {
    auto prepared = prepare_stages(topology, cores, options.device);
    if (!prepared) return tl::unexpected{prepared.error()};
    const auto& info = prepared->model.info;
    state->metrics->set_model_info(info.name, info.digest, info.engine, info.device);
    state->engine = info.engine;
    state->device = info.device;
    state->model_line = prepared->line;
    head_with.labels = prepared->model.labels;
    state->prepared = std::move(*prepared);
  } else {
    auto labels = labels_of(topology);
    if (!labels) return tl::unexpected{labels.error()};
    head_with.labels = std::move(*labels);
  }

  head_with.epoch = options.epoch;
  if (!topology.checkpoint.empty()) {
    const auto now_s = static_cast<std::uint32_t>(std::time(nullptr));
    auto resumed = resume(topology, *streams, options.fresh, now_s);
    if (!resumed) return tl::unexpected{resumed.error()};
    head_with.epoch = resumed->epoch;
    head_with.checkpoint = std::move(resumed->writer);
    head_with.progress = std::move(resumed->streams);
  } else if (options.fresh) {
    return core::fail(core::errc::bad_config, "checkpoint: there is none that --fresh could forget");
  }

  const auto epoch = head_with.epoch;
  auto finished = end_signal::make();
  if (!finished) return tl::unexpected{finished.error()};
  state->finished = std::move(*finished);
  state->runtime.emplace(cores);
  auto& system = state->runtime->system();

  head_with.topology = topology;
  head_with.streams = std::move(*streams);
  head_with.decode = decode_options_of(topology);
  head_with.role = options.role;
  head_with.metrics = state->metrics;
  head_with.board = state->board;
  const auto ingest_role = std::ranges::find_if(topology.nodes, [&](const topology::node_config& each) {
    return !each.ingest.listen.empty() && (options.role.empty() || each.role == options.role);
  });
  const bool ingests = ingest_role != topology.nodes.end();
  head_with.ingest_any = ingests && ingest_role->ingest.accept == topology::ingest_accept::any;
  head_with.ingest_streams = ingests ? static_cast<std::size_t>(ingest_role->ingest.streams) : 0;
  auto publishers = state->open_publishers(options);
  if (!publishers) return tl::unexpected{publishers.error()};
  head_with.publishers = std::move(*publishers);
  if (options.door) {
    head_with.door = true;
    head_with.stays = options.door->stays;
    head_with.preview_fps = options.door->preview_fps;
    head_with.observer = options.door->observer;
  }
  state->labels = head_with.labels;
  state->decode = head_with.decode;
  head_with.on_finished = [signal = state->finished.get()] { signal->raise(); };
  state->head = system.spawn(actors::head, head_with);

  head_start started;
  if (state->prepared) {
    auto worker = spawn_stages(system, topology, *state->prepared, *state->metrics, head_inbox{state->head});
    started.workers.emplace(worker.config.id, worker.worker);
    started.watched = worker.actors;
    started.figures = figures_of(*state->prepared, topology.stages, *state->metrics);
    state->stages = std::move(worker.actors);
  }
  if (gate_role != nullptr) {
    if (auto open = state->open_gate(*gate_role, options, epoch); !open) return tl::unexpected{open.error()};
    started.gate = state->gate;
  }
  if (ingests) {
    if (auto open = state->open_ingest(*ingest_role, options); !open) return tl::unexpected{open.error()};
    started.pushes = state->pushes;
  }
  caf::anon_send(state->head, std::move(started));
  return std::unique_ptr<node>{new node{std::move(state)}};
}

node::node(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
node::~node() = default;

run_report node::report() const { return impl_->board->get(); }
int node::finished_fd() const noexcept { return impl_->finished->fd(); }
bool node::finished() const noexcept { return impl_->finished->raised(); }
bool node::ready() const { return !finished() && !impl_->stopping; }
metrics::registry& node::metrics() const noexcept { return *impl_->metrics; }
const std::string& node::model_line() const noexcept { return impl_->model_line; }
const std::string& node::address() const noexcept { return impl_->address; }

const std::vector<std::string>& node::labels() const noexcept { return *impl_->labels; }
const std::string& node::engine() const noexcept { return impl_->engine; }
const std::string& node::device() const noexcept { return impl_->device; }
const media::decode_options& node::decoding() const noexcept { return impl_->decode; }

void node::detect(core::packet_ptr picture, core::codec_ptr codec, core::time_point deadline,
                  const std::stop_token& gone, std::function<void(core::expected<core::frame_result>)> done) {
  picture_ask ask{++impl_->tickets, std::move(picture), std::move(codec), deadline, std::move(done)};
  const auto leave = [head = impl_->head, ticket = ask.ticket] { caf::anon_send(head, picture_gone{ticket}); };
  ask.watch = std::make_shared<const std::stop_callback<decltype(leave)>>(gone, leave);
  caf::anon_send(impl_->head, std::move(ask));
}

void node::add_guest(guest_ask ask) { caf::anon_send(impl_->head, std::move(ask)); }
void node::remove_guest(guest_leave leave) { caf::anon_send(impl_->head, std::move(leave)); }
void node::tell_jobs_waiting(std::uint64_t jobs) { caf::anon_send(impl_->head, jobs_waiting{jobs}); }
void node::watch(preview_ask ask) { caf::anon_send(impl_->head, std::move(ask)); }

bool node::drain_worker(const std::string& name) {
  const auto now = report();
  const auto known = std::ranges::any_of(
      now.workers, [&](const worker_report& each) { return each.name == name && each.heard.has_value(); });
  if (!known || !impl_->gate) return false;
  caf::anon_send(impl_->gate, drain_worker_now{name});
  return true;
}

void node::shut_down(std::chrono::microseconds grace) {
  impl_->stopping = true;
  caf::anon_send(impl_->head, head_shutdown{grace});
}

} // namespace penstock::actors
