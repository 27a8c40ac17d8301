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
#include "actors/model.hpp"
#include "actors/stages.hpp"
#include "core/cores.hpp"

namespace penstock::actors {

namespace {

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
};

namespace {

std::string model_line_of(const loaded_model& model, const stage_sizes& s) {
  const auto& info = model.info;
  auto where = info.device;
  if (model.device) where = fmt::format("{}, {}", model.device->info().name, model.device->info().model);
  if (!info.detail.empty()) where += ", " + info.detail;
  return fmt::format("{} on {} ({}), input {}x{}, batches of up to {}, {} {}{}", info.name, info.engine, where,
                     model.input.width_px, model.input.height_px, s.batch, s.instances,
                     model.device ? "lane" : "instance", s.instances == 1 ? "" : "s");
}

} // namespace

core::expected<std::unique_ptr<node>> node::start(const topology::config& topology, const node_options& options) {
  auto state = std::make_unique<impl>();
  state->topology = topology;
  auto streams = topology::expand_streams(topology);
  if (!streams) return core::fail("streams", streams.error());
  auto model = load_model(topology.stages, options.device);
  if (!model) return tl::unexpected{model.error()};
  state->model = std::move(*model);
  const auto& info = state->model.info;
  state->metrics->set_build_info(options.version);
  state->metrics->set_model_info(info.name, info.digest, info.engine, info.device);

  const auto cores = options.cores > 0 ? options.cores : core::usable_cores();
  const auto sizes = state->model.device ? sizes_on_device(topology.stages, state->model, cores)
                                         : sizes_on_host(topology.stages, state->model, cores);
  state->model_line = model_line_of(state->model, sizes);
  std::shared_ptr<inference::batch_ring> ring;
  if (state->model.device) {
    auto made = inference::batch_ring::make(ring_config_of(state->model, sizes));
    if (!made) return core::fail("stages.inference.batch", made.error());
    ring = std::move(*made);
  }

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

  auto decode_with = head_with.decode;
  decode_with.cuda_device = state->model.cuda_decode;
  const stage_parts parts{*state->system, topology.stages, state->model,           sizes,
                          decode_with,    *state->metrics, head_inbox{state->head}};
  auto worker = ring ? spawn_on_device(parts, std::move(ring)) : spawn_on_host(parts);
  head_start started;
  started.workers.emplace(worker.config.id, worker.worker);
  started.watched = worker.actors;
  state->stages = std::move(worker.actors);
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
