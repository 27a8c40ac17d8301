#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <utility>

#include "actors/device_lane.hpp"
#include "actors/inference.hpp"
#include "actors/remote_stage.hpp"
#include "actors/stages.hpp"

namespace penstock::actors {

namespace {

template <class Actor>
caf::strong_actor_ptr pointer_to(const Actor& actor) {
  return caf::actor_cast<caf::strong_actor_ptr>(actor);
}

/// What stages are made of.
struct stage_parts {
  caf::actor_system& system;
  const topology::stages_config& stages;
  const prepared_stages& prepared;
  media::decode_options decode;
  metrics::registry& metrics;

  stage_parts(caf::actor_system& in, const topology::config& topology, const prepared_stages& with,
              metrics::registry& to)
      : system{in}, stages{topology.stages}, prepared{with}, decode{decode_options_of(topology)}, metrics{to} {
    decode.cuda_device = with.model.cuda_decode;
  }

  [[nodiscard]] metrics::stage_series series(metrics::stage s) const { return metrics.stage_of(s); }
};

/// Where decode sends its frames, in turn. Filled after the worker is there, which makes decode actors only once it
/// holds a lease.
using frame_takers = std::shared_ptr<std::vector<preprocess_actor>>;

worker_stages spawn_worker(const stage_parts& parts, std::shared_ptr<credit_pool> credits,
                           std::shared_ptr<busy_decoders> busy, const frame_takers& takers, const head_inbox& head) {
  const decode_config decode_with{parts.decode, std::move(credits), std::move(busy),
                                  parts.series(metrics::stage::decode), parts.series(metrics::stage::preprocess)};
  const auto next = std::make_shared<std::size_t>(0);
  const decoder_factory make_decoder = [sys = &parts.system, takers, decode_with, next](const open_segment& lease,
                                                                                        const worker_inbox& inbox) {
    const auto& to = (*takers)[(*next)++ % takers->size()];
    return sys->spawn(decode, decode_with, lease, to, inbox);
  };
  worker_stages out;
  out.config.bulk_segments = static_cast<std::uint32_t>(parts.prepared.sizes.decoders);
  const auto handle = parts.system.spawn(worker, out.config, make_decoder, head);
  out.worker = handle;
  out.actors.push_back(pointer_to(handle));
  return out;
}

outcome_inbox inbox_of(const worker_stages& stages) { return caf::actor_cast<outcome_inbox>(stages.actors.front()); }

/// Stages from frames or tensors to objects, and where those go in.
struct engine_stages {
  std::vector<preprocess_actor> frames;
  slot_taker tensors;                ///< in slots of `ring`; null where only frames go in
  std::shared_ptr<tensor_ring> ring; ///< likewise
  std::vector<caf::strong_actor_ptr> actors;
};

/// Batcher, instances of the model and postprocess, all in host memory.
engine_stages spawn_engine(const stage_parts& parts, const burst_config& burst, const outcome_inbox& inbox) {
  using metrics::stage;
  const auto& model = parts.prepared.model;
  const auto& s = parts.prepared.sizes;
  const auto inference_series = parts.series(stage::inference);
  const auto postprocess_series = parts.series(stage::postprocess);
  const auto batches = parts.metrics.inference();
  engine_stages out;
  out.ring =
      std::make_shared<tensor_ring>(model.input.shape(1), model.input.type, s.batch, s.instances + s.credits / s.batch);

  std::vector<postprocess_actor> postprocessors;
  for (std::size_t i = 0; i < s.cores; ++i)
    postprocessors.push_back(
        parts.system.spawn(postprocess, postprocess_config{model.head, postprocess_series}, inbox));

  const inference_config infer_with{model.session, inference_series, batches, postprocess_series};
  const bool blocks = parts.stages.inference.threads > 1 || model.info.memory == core::memory_kind::device;
  const instance_factory make_instance = [sys = &parts.system, postprocessors, infer_with, inbox,
                                          blocks](const batcher_actor& to, std::uint32_t i) -> inference_actor {
    const auto& after = postprocessors[i % postprocessors.size()];
    if (blocks) return sys->spawn<caf::detached>(infer, infer_with, to, after, inbox);
    return sys->spawn(infer, infer_with, to, after, inbox);
  };
  const batcher_config batch_with{parts.stages.inference.batch.wait, out.ring, inference_series, batches, burst};
  const auto batching = parts.system.spawn(batcher, batch_with, s.instances, make_instance);
  out.tensors = batching;
  out.actors.push_back(pointer_to(batching));
  for (const auto& actor : postprocessors) out.actors.push_back(pointer_to(actor));
  return out;
}

/// As many preprocess actors as cores, before whoever takes slots.
std::vector<preprocess_actor> spawn_preprocess(const stage_parts& parts, const std::shared_ptr<tensor_ring>& ring,
                                               const slot_taker& next, const outcome_inbox& inbox) {
  std::vector<preprocess_actor> out;
  const preprocess_config with{parts.prepared.model.spec, ring, parts.series(metrics::stage::preprocess)};
  for (std::size_t i = 0; i < parts.prepared.sizes.cores; ++i)
    out.push_back(parts.system.spawn(preprocess, with, next, inbox));
  return out;
}

/// Preprocess, batcher, instances of the model and postprocess, all in host memory.
engine_stages spawn_on_host(const stage_parts& parts, const burst_config& burst, const outcome_inbox& inbox) {
  auto out = spawn_engine(parts, burst, inbox);
  out.frames = spawn_preprocess(parts, out.ring, out.tensors, inbox);
  for (const auto& actor : out.frames) out.actors.push_back(pointer_to(actor));
  return out;
}

/// A batcher and the lanes of a device, which do all that comes after decode.
engine_stages spawn_on_device(const stage_parts& parts, const outcome_inbox& inbox) {
  using metrics::stage;
  const auto& s = parts.prepared.sizes;
  const device_lane_config lane_with{parts.prepared.ring, parts.series(stage::preprocess),
                                     parts.series(stage::inference), parts.series(stage::postprocess),
                                     parts.metrics.inference()};
  const lane_factory make_lane = [sys = &parts.system, lane_with, inbox](const device_batcher_actor& to,
                                                                         std::uint32_t i) {
    return sys->spawn<caf::detached>(device_lane, lane_with, i, to, inbox);
  };
  const device_batcher_config batch_with{s.batch, parts.stages.inference.batch.wait, lane_with.preprocess,
                                         lane_with.inference, lane_with.batches};
  // Detached, so that the device does not wait for a turn behind the decoders that keep every core busy.
  const auto batching = parts.system.spawn<caf::detached>(device_batcher, batch_with, s.instances, make_lane);
  engine_stages out;
  out.frames.push_back(batching);
  out.actors.push_back(pointer_to(batching));
  return out;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

} // namespace

worker_stages spawn_stages(caf::actor_system& system, const topology::config& topology, const prepared_stages& prepared,
                           metrics::registry& metrics, const head_inbox& head) {
  const stage_parts parts{system, topology, prepared, metrics};
  const auto& s = prepared.sizes;
  const auto burst = prepared.ring ? 1 : s.credits * 3 / 4;
  const auto credits = std::make_shared<credit_pool>(s.credits, parts.series(metrics::stage::inference).credit, burst);
  const auto busy = std::make_shared<busy_decoders>();
  const auto takers = std::make_shared<std::vector<preprocess_actor>>();
  auto out = spawn_worker(parts, credits, busy, takers, head);
  const auto inbox = inbox_of(out);
  const auto engine =
      prepared.ring ? spawn_on_device(parts, inbox) : spawn_on_host(parts, {s.cores, busy, credits}, inbox);
  *takers = engine.frames;
  append(out.actors, engine.actors);
  return out;
}

linked_stages spawn_before_link(caf::actor_system& system, const topology::config& topology,
                                const prepared_stages& prepared, metrics::registry& metrics,
                                stage_link_config link_with, const head_inbox& head) {
  const stage_parts parts{system, topology, prepared, metrics};
  const auto& s = prepared.sizes;
  const bool tensors = prepared.part == topology::part::to_tensors;
  link_with.metrics = parts.series(tensors ? metrics::stage::inference : metrics::stage::preprocess);
  const auto credits = std::make_shared<credit_pool>(s.credits, metrics::gauge{});
  const auto takers = std::make_shared<std::vector<preprocess_actor>>();
  linked_stages out;
  out.worker = spawn_worker(parts, credits, std::make_shared<busy_decoders>(), takers, head);
  const auto inbox = inbox_of(out.worker);
  auto& all = out.worker.actors;
  out.link = system.spawn(stage_link, link_with, inbox);
  all.push_back(pointer_to(out.link));

  remote_stage_config remote_with;
  remote_with.metrics = link_with.metrics;
  if (!tensors && prepared.link.frames == topology::link_frames::jpeg) remote_with.jpeg_quality = prepared.link.quality;
  if (tensors)
    remote_with.ring =
        std::make_shared<tensor_ring>(prepared.model.input.shape(1), prepared.model.input.type, 1, s.credits);
  std::vector<remote_stage_actor> remote;
  for (std::size_t i = 0; i < s.cores; ++i) {
    remote.push_back(system.spawn(remote_stage, remote_with, out.link, inbox));
    all.push_back(pointer_to(remote.back()));
  }
  if (tensors) {
    for (const auto& next : remote) append(*takers, spawn_preprocess(parts, remote_with.ring, next, inbox));
    for (const auto& actor : *takers) all.push_back(pointer_to(actor));
  } else {
    takers->assign(remote.begin(), remote.end());
  }
  return out;
}

gated_stages spawn_behind_link(caf::actor_system& system, const topology::config& topology,
                               const prepared_stages& prepared, metrics::registry& metrics,
                               stage_gate_config gate_with) {
  const stage_parts parts{system, topology, prepared, metrics};
  const auto& s = prepared.sizes;
  const auto& model = prepared.model;
  gate_with.credits = std::make_shared<credit_pool>(s.credits, parts.series(metrics::stage::inference).credit);
  gate_with.window = static_cast<std::uint32_t>(s.credits);
  gated_stages out;
  out.gate = system.spawn(stage_gate, gate_with);
  out.actors.push_back(pointer_to(out.gate));
  const outcome_inbox inbox{out.gate};

  attach_intakes intakes;
  if (prepared.part == topology::part::from_tensors) {
    const auto engine = spawn_engine(parts, {}, inbox);
    append(out.actors, engine.actors);
    for (std::size_t i = 0; i < s.cores; ++i)
      intakes.intakes.push_back(system.spawn(tensor_intake,
                                             tensor_intake_config{engine.ring, model.input.shape(1), model.input.type},
                                             engine.tensors, inbox));
  } else {
    const auto engine = prepared.ring ? spawn_on_device(parts, inbox) : spawn_on_host(parts, {}, inbox);
    append(out.actors, engine.actors);
    for (std::size_t i = 0; i < s.cores; ++i)
      intakes.intakes.push_back(system.spawn(frame_intake, parts.decode, parts.series(metrics::stage::preprocess),
                                             engine.frames[i % engine.frames.size()], inbox));
  }
  for (const auto& actor : intakes.intakes) out.actors.push_back(pointer_to(actor));
  caf::anon_send(out.gate, std::move(intakes));
  return out;
}

} // namespace penstock::actors
