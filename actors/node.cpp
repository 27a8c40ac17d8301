#include "actors/node.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <cerrno>
#include <optional>
#include <spdlog/spdlog.h>
#include <system_error>
#include <utility>

#include "actors/head.hpp"
#include "actors/inference.hpp"
#include "actors/model.hpp"
#include "actors/preprocess.hpp"
#include "core/cores.hpp"

namespace penstock::actors {

namespace {

/// Images per core that decode may run ahead of the engine, so that each works in long bursts (`burst_config`); fewer
/// where that would take more than `most_bytes_ahead`, but always one batch to fill and one that waits.
constexpr std::size_t images_ahead_per_core = 32;
constexpr std::size_t most_bytes_ahead = 64U << 20U;

struct sizes {
  std::size_t cores = 1;
  std::size_t instances = 1;
  std::size_t batch = 1;
  std::size_t batches_ahead = 2;
  std::size_t decoders = 1;

  [[nodiscard]] std::size_t slots_ahead() const noexcept { return batch * batches_ahead; }
};

sizes sizes_of(const topology::stages_config& stages, const inference::model_info& model, std::size_t image_bytes,
               unsigned cores) {
  sizes s;
  s.cores = cores;
  s.instances = static_cast<std::size_t>(stages.inference.instances.value_or(static_cast<int>(cores)));
  s.batch = static_cast<std::size_t>(std::min(stages.inference.batch.max, model.max_batch));
  const auto images = std::min(images_ahead_per_core * cores, most_bytes_ahead / image_bytes);
  s.batches_ahead = std::max<std::size_t>({2, s.instances, images / s.batch});
  s.decoders = static_cast<std::size_t>(stages.decode.concurrency.value_or(static_cast<int>(cores)));
  return s;
}

media::decode_options decode_options_of(const topology::config& topology) {
  media::decode_options options;
  options.effort = topology.stages.decode.effort == topology::decode_effort::fast ? media::decode_effort::fast
                                                                                  : media::decode_effort::exact;
  options.max_pixels = static_cast<std::uint64_t>(topology.media.max_pixels);
  return options;
}

caf::actor_system_config& configured(caf::actor_system_config& config, std::size_t cores) {
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", static_cast<std::uint64_t>(cores));
  config.set("scheduler.max-throughput", std::uint64_t{1});
  return config;
}

template <class Actor>
caf::strong_actor_ptr pointer_to(const Actor& actor) {
  return caf::actor_cast<caf::strong_actor_ptr>(actor);
}

} // namespace

struct node::impl {
  topology::config topology;
  loaded_model model;
  std::string model_line;
  std::shared_ptr<metrics::registry> metrics = std::make_shared<metrics::registry>();
  std::shared_ptr<report_board> board = std::make_shared<report_board>();
  int finished_fd = -1;
  std::atomic<bool> finished{false};
  std::atomic<bool> stopping{false};
  caf::actor_system_config caf_config;
  std::optional<caf::actor_system> system;
  head_actor head;
  std::vector<caf::strong_actor_ptr> stages;

  ~impl() {
    for (const auto& stage : stages)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(stage), caf::exit_reason::user_shutdown);
    if (head) caf::anon_send_exit(head, caf::exit_reason::user_shutdown);
    stages.clear();
    head = nullptr;
    system.reset(); // waits for all actors
    if (finished_fd >= 0) ::close(finished_fd);
  }

  void on_finished() {
    finished = true;
    const std::uint64_t one = 1;
    if (::write(finished_fd, &one, sizeof one) != sizeof one)
      spdlog::error("eventfd: {}", std::generic_category().message(errno));
  }

  void spawn_stages(const sizes& s, head_start& started);
};

void node::impl::spawn_stages(const sizes& s, head_start& started) {
  using metrics::stage;
  const auto decode_series = metrics->stage_of(stage::decode);
  const auto preprocess_series = metrics->stage_of(stage::preprocess);
  const auto inference_series = metrics->stage_of(stage::inference);
  const auto postprocess_series = metrics->stage_of(stage::postprocess);
  const auto batches = metrics->inference();

  const auto ring =
      std::make_shared<tensor_ring>(model.input.shape(1), model.input.type, s.batch, s.instances + s.batches_ahead);
  const auto credits = std::make_shared<credit_pool>(s.slots_ahead(), inference_series.credit, s.slots_ahead() * 3 / 4);

  // The worker makes decode actors only once it holds a lease, which is after the stages behind them are there.
  const auto preprocessors = std::make_shared<std::vector<preprocess_actor>>();
  const auto busy = std::make_shared<busy_decoders>();
  const decode_config decode_with{decode_options_of(topology), credits, busy, decode_series, preprocess_series};
  const auto next = std::make_shared<std::size_t>(0);
  const decoder_factory make_decoder = [sys = &*system, preprocessors, decode_with, next](const open_segment& lease,
                                                                                          const worker_inbox& inbox) {
    const auto& to = (*preprocessors)[(*next)++ % preprocessors->size()];
    return sys->spawn(decode, decode_with, lease, to, inbox);
  };
  worker_config worker_with;
  worker_with.bulk_segments = static_cast<std::uint32_t>(s.decoders);
  const auto worker_handle = system->spawn(worker, worker_with, make_decoder, head_inbox{head});
  const worker_inbox inbox{worker_handle};

  std::vector<postprocess_actor> postprocessors;
  for (std::size_t i = 0; i < s.cores; ++i)
    postprocessors.push_back(system->spawn(postprocess, postprocess_config{model.head, postprocess_series}, inbox));

  const inference_config infer_with{model.session, inference_series, batches, postprocess_series};
  const bool blocks = topology.stages.inference.threads > 1;
  const instance_factory make_instance = [sys = &*system, postprocessors, infer_with, inbox,
                                          blocks](const batcher_actor& to, std::uint32_t i) -> inference_actor {
    const auto& after = postprocessors[i % postprocessors.size()];
    if (blocks) return sys->spawn<caf::detached>(infer, infer_with, to, after, inbox);
    return sys->spawn(infer, infer_with, to, after, inbox);
  };
  const batcher_config batch_with{
      topology.stages.inference.batch.wait, ring, inference_series, batches, {s.cores, busy, credits}};
  const auto batching = system->spawn(batcher, batch_with, s.instances, make_instance);
  for (std::size_t i = 0; i < s.cores; ++i) {
    preprocessors->push_back(
        system->spawn(preprocess, preprocess_config{model.spec, ring, preprocess_series}, batching, inbox));
  }

  stages = {pointer_to(worker_handle), pointer_to(batching)};
  for (const auto& actor : *preprocessors) stages.push_back(pointer_to(actor));
  for (const auto& actor : postprocessors) stages.push_back(pointer_to(actor));
  started.workers.emplace(worker_with.id, worker_handle);
  started.watched = stages;
}

core::expected<std::unique_ptr<node>> node::start(const topology::config& topology, const node_options& options) {
  auto state = std::make_unique<impl>();
  state->topology = topology;
  auto streams = topology::expand_streams(topology);
  if (!streams) return core::fail("streams", streams.error());
  auto model = load_model(topology.stages);
  if (!model) return tl::unexpected{model.error()};
  state->model = std::move(*model);
  const auto& info = state->model.info;
  state->metrics->set_build_info(options.version);
  state->metrics->set_model_info(info.name, info.digest, info.engine, info.device);

  const auto cores = options.cores > 0 ? options.cores : core::usable_cores();
  const auto image_bytes = tensor_batch{state->model.input.shape(1), state->model.input.type, 1}.images(1).size_bytes();
  const auto s = sizes_of(topology.stages, info, image_bytes, cores);
  state->model_line = fmt::format("{} on {} ({}), input {}x{}, batches of up to {}, {} instance{}", info.name,
                                  info.engine, info.device, state->model.input.width_px, state->model.input.height_px,
                                  s.batch, s.instances, s.instances == 1 ? "" : "s");

  state->finished_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (state->finished_fd < 0) return core::fail(core::errc::io, "eventfd: " + std::generic_category().message(errno));
  state->system.emplace(configured(state->caf_config, cores));

  head_config head_with;
  head_with.topology = topology;
  head_with.streams = std::move(*streams);
  head_with.labels = state->model.labels;
  head_with.decode = decode_options_of(topology);
  head_with.metrics = state->metrics;
  head_with.board = state->board;
  head_with.on_finished = [raw = state.get()] { raw->on_finished(); };
  state->head = state->system->spawn(actors::head, head_with);
  head_start started;
  state->spawn_stages(s, started);
  caf::anon_send(state->head, std::move(started));
  return std::unique_ptr<node>{new node{std::move(state)}};
}

node::node(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
node::~node() = default;

run_report node::report() const { return impl_->board->get(); }
int node::finished_fd() const noexcept { return impl_->finished_fd; }
bool node::finished() const noexcept { return impl_->finished; }
bool node::ready() const { return !impl_->finished && !impl_->stopping; }
const metrics::registry& node::metrics() const noexcept { return *impl_->metrics; }
const std::string& node::model_line() const noexcept { return impl_->model_line; }

void node::shut_down(std::chrono::microseconds grace) {
  impl_->stopping = true;
  caf::anon_send(impl_->head, head_shutdown{grace});
}

} // namespace penstock::actors
