#include "actors/stages.hpp"

#include <algorithm>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <utility>

#include "actors/device_lane.hpp"
#include "actors/inference.hpp"

namespace penstock::actors {

namespace {

/// Images per core that decode may run ahead of the engine, so that each works in long bursts (`burst_config`); fewer
/// where that would take more than `most_bytes_ahead`, but always one batch to fill and one that waits.
constexpr std::size_t images_ahead_per_core = 32;
constexpr std::size_t most_bytes_ahead = 64U << 20U;

/// One lane is fed, one computed, one read back.
constexpr int lanes = 3;

/// Room for a frame in memory that a device copies from; the ring makes more where frames are larger.
constexpr std::size_t usual_frame_bytes = std::size_t{1920} * 1080 * 3 / 2;

stage_sizes common_sizes(const topology::stages_config& stages, const loaded_model& model, std::size_t cores,
                         int instances) {
  stage_sizes s;
  s.cores = cores;
  s.instances = static_cast<std::size_t>(stages.inference.instances.value_or(instances));
  s.batch = static_cast<std::size_t>(std::min(stages.inference.batch.max, model.info.max_batch));
  s.decoders = static_cast<std::size_t>(stages.decode.concurrency.value_or(static_cast<int>(cores)));
  return s;
}

template <class Actor>
caf::strong_actor_ptr pointer_to(const Actor& actor) {
  return caf::actor_cast<caf::strong_actor_ptr>(actor);
}

/// Where decode sends its frames, in turn. Filled after the worker is there, which makes decode actors only once it
/// holds a lease.
using frame_takers = std::shared_ptr<std::vector<preprocess_actor>>;

worker_stages spawn_worker(const stage_parts& parts, const decode_config& decode_with, const frame_takers& takers) {
  const auto next = std::make_shared<std::size_t>(0);
  const decoder_factory make_decoder = [sys = &parts.system, takers, decode_with, next](const open_segment& lease,
                                                                                        const worker_inbox& inbox) {
    const auto& to = (*takers)[(*next)++ % takers->size()];
    return sys->spawn(decode, decode_with, lease, to, inbox);
  };
  worker_stages out;
  out.config.bulk_segments = static_cast<std::uint32_t>(parts.sizes.decoders);
  const auto handle = parts.system.spawn(worker, out.config, make_decoder, parts.head);
  out.worker = handle;
  out.actors.push_back(pointer_to(handle));
  return out;
}

worker_inbox inbox_of(const worker_stages& stages) { return caf::actor_cast<worker_inbox>(stages.actors.front()); }

} // namespace

stage_sizes sizes_on_host(const topology::stages_config& stages, const loaded_model& model, std::size_t cores) {
  auto s = common_sizes(stages, model, cores, static_cast<int>(cores));
  const auto image_bytes = tensor_batch{model.input.shape(1), model.input.type, 1}.images(1).size_bytes();
  const auto images = std::min(images_ahead_per_core * cores, most_bytes_ahead / image_bytes);
  s.credits = s.batch * std::max<std::size_t>({2, s.instances, images / s.batch});
  return s;
}

stage_sizes sizes_on_device(const topology::stages_config& stages, const loaded_model& model, std::size_t cores) {
  auto s = common_sizes(stages, model, cores, lanes);
  s.credits = s.batch * (s.instances + 2) + s.decoders;
  return s;
}

inference::batch_ring_config ring_config_of(const loaded_model& model, const stage_sizes& sizes) {
  inference::batch_ring_config config;
  config.device = model.device;
  config.session = model.session;
  config.input = model.input;
  config.head = model.head;
  config.spec = model.spec;
  config.lanes = sizes.instances;
  config.batch = sizes.batch;
  config.staging_bytes = std::min(sizes.batch * usual_frame_bytes, config.most_staging_bytes);
  return config;
}

worker_stages spawn_on_host(const stage_parts& parts) {
  using metrics::stage;
  const auto& [system, stages, model, s, decode_options, metrics, head] = parts;
  const auto preprocess_series = metrics.stage_of(stage::preprocess);
  const auto inference_series = metrics.stage_of(stage::inference);
  const auto postprocess_series = metrics.stage_of(stage::postprocess);
  const auto batches = metrics.inference();

  const auto ring =
      std::make_shared<tensor_ring>(model.input.shape(1), model.input.type, s.batch, s.instances + s.credits / s.batch);
  const auto credits = std::make_shared<credit_pool>(s.credits, inference_series.credit, s.credits * 3 / 4);
  const auto preprocessors = std::make_shared<std::vector<preprocess_actor>>();
  const auto busy = std::make_shared<busy_decoders>();
  auto out = spawn_worker(parts, {decode_options, credits, busy, metrics.stage_of(stage::decode), preprocess_series},
                          preprocessors);
  const auto inbox = inbox_of(out);

  std::vector<postprocess_actor> postprocessors;
  for (std::size_t i = 0; i < s.cores; ++i)
    postprocessors.push_back(system.spawn(postprocess, postprocess_config{model.head, postprocess_series}, inbox));

  const inference_config infer_with{model.session, inference_series, batches, postprocess_series};
  const bool blocks = stages.inference.threads > 1;
  const instance_factory make_instance = [sys = &system, postprocessors, infer_with, inbox,
                                          blocks](const batcher_actor& to, std::uint32_t i) -> inference_actor {
    const auto& after = postprocessors[i % postprocessors.size()];
    if (blocks) return sys->spawn<caf::detached>(infer, infer_with, to, after, inbox);
    return sys->spawn(infer, infer_with, to, after, inbox);
  };
  const batcher_config batch_with{
      stages.inference.batch.wait, ring, inference_series, batches, {s.cores, busy, credits}};
  const auto batching = system.spawn(batcher, batch_with, s.instances, make_instance);
  for (std::size_t i = 0; i < s.cores; ++i) {
    preprocessors->push_back(
        system.spawn(preprocess, preprocess_config{model.spec, ring, preprocess_series}, batching, inbox));
  }
  out.actors.push_back(pointer_to(batching));
  for (const auto& actor : *preprocessors) out.actors.push_back(pointer_to(actor));
  for (const auto& actor : postprocessors) out.actors.push_back(pointer_to(actor));
  return out;
}

worker_stages spawn_on_device(const stage_parts& parts, std::shared_ptr<inference::batch_ring> ring) {
  using metrics::stage;
  auto& system = parts.system;
  auto& metrics = parts.metrics;
  const device_lane_config lane_with{std::move(ring), metrics.stage_of(stage::preprocess),
                                     metrics.stage_of(stage::inference), metrics.stage_of(stage::postprocess),
                                     metrics.inference()};
  const auto credits = std::make_shared<credit_pool>(parts.sizes.credits, lane_with.inference.credit);
  const auto takers = std::make_shared<std::vector<preprocess_actor>>();
  auto out = spawn_worker(
      parts,
      {parts.decode, credits, std::make_shared<busy_decoders>(), metrics.stage_of(stage::decode), lane_with.preprocess},
      takers);
  const auto inbox = inbox_of(out);
  const lane_factory make_lane = [sys = &system, lane_with, inbox](const device_batcher_actor& to, std::uint32_t i) {
    return sys->spawn<caf::detached>(device_lane, lane_with, i, to, inbox);
  };
  const device_batcher_config batch_with{parts.sizes.batch, parts.stages.inference.batch.wait, lane_with.preprocess,
                                         lane_with.inference, lane_with.batches};
  // Detached, so that the device does not wait for a turn behind the decoders that keep every core busy.
  const auto batching = system.spawn<caf::detached>(device_batcher, batch_with, parts.sizes.instances, make_lane);
  takers->push_back(batching);
  out.actors.push_back(pointer_to(batching));
  return out;
}

} // namespace penstock::actors
