#include "actors/worker_node.hpp"

#include <atomic>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <mutex>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/actor_runtime.hpp"
#include "actors/link_events.hpp"
#include "actors/remote_head.hpp"
#include "actors/stages.hpp"
#include "actors/stages_digest.hpp"
#include "core/cores.hpp"

namespace penstock::actors {

struct worker_node::impl {
  topology::config topology;
  prepared_stages prepared;
  std::shared_ptr<metrics::registry> metrics = std::make_shared<metrics::registry>();
  std::unique_ptr<end_signal> finished;
  std::atomic<bool> leaving{false};
  mutable std::mutex mutex;
  std::string refusal;
  std::shared_ptr<transport::hub> hub;
  std::optional<actor_runtime> runtime;
  remote_head_actor head;
  std::vector<caf::strong_actor_ptr> stages;

  ~impl() {
    for (const auto& stage : stages)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(stage), caf::exit_reason::user_shutdown);
    if (head) caf::anon_send_exit(head, caf::exit_reason::user_shutdown);
    stages.clear();
    head = nullptr;
    if (runtime) runtime->stop();
  }

  void refused(std::string why) {
    {
      const std::lock_guard lock{mutex};
      refusal = std::move(why);
    }
    finished->raise();
  }
};

core::expected<std::unique_ptr<worker_node>> worker_node::start(const topology::config& topology,
                                                                const worker_node_options& options) {
  auto state = std::make_unique<impl>();
  state->topology = topology;
  auto digest = stages_digest(topology);
  if (!digest) return tl::unexpected{digest.error()};
  const auto cores = options.cores > 0 ? options.cores : core::usable_cores();
  auto prepared = prepare_stages(topology, cores);
  if (!prepared) return tl::unexpected{prepared.error()};
  state->prepared = std::move(*prepared);
  const auto& info = state->prepared.model.info;
  state->metrics->set_build_info(options.version);
  state->metrics->set_model_info(info.name, info.digest, info.engine, info.device);

  auto finished = end_signal::make();
  if (!finished) return tl::unexpected{finished.error()};
  state->finished = std::move(*finished);
  transport::hub_options hub_with;
  hub_with.keys = options.keys;
  auto hub = transport::hub::start(std::move(hub_with));
  if (!hub) return tl::unexpected{hub.error()};
  state->hub = std::move(*hub);
  state->runtime.emplace(cores);
  auto& system = state->runtime->system();

  remote_head_config head_with;
  head_with.hub = state->hub;
  head_with.hello.software = "penstock " + options.version;
  head_with.hello.role = options.role;
  head_with.hello.name = options.name;
  head_with.hello.stages = {"decode", "preprocess", "inference", "postprocess"};
  head_with.hello.config_digest = std::move(*digest);
  head_with.on_left = [signal = state->finished.get()] { signal->raise(); };
  head_with.on_refused = [raw = state.get()](std::string why) { raw->refused(std::move(why)); };
  state->head = system.spawn(remote_head, head_with);
  auto worker = spawn_stages(system, topology, state->prepared, *state->metrics, head_inbox{state->head});
  state->stages = std::move(worker.actors);
  caf::anon_send(state->head, attach_worker{worker.worker});
  if (auto dialled = state->hub->dial(options.dial, dialler_events_to(state->head)); !dialled)
    return core::fail("dial", dialled.error());
  return std::unique_ptr<worker_node>{new worker_node{std::move(state)}};
}

worker_node::worker_node(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
worker_node::~worker_node() = default;

int worker_node::finished_fd() const noexcept { return impl_->finished->fd(); }
bool worker_node::finished() const noexcept { return impl_->finished->raised(); }
bool worker_node::ready() const { return !finished() && !impl_->leaving; }
const metrics::registry& worker_node::metrics() const noexcept { return *impl_->metrics; }
const std::string& worker_node::model_line() const noexcept { return impl_->prepared.line; }

std::string worker_node::refusal() const {
  const std::lock_guard lock{impl_->mutex};
  return impl_->refusal;
}

void worker_node::leave(std::chrono::microseconds grace) {
  impl_->leaving = true;
  caf::anon_send(impl_->head, leave_fleet{grace});
}

} // namespace penstock::actors
