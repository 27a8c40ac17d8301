#include "actors/stages.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "actors/hosted_session.hpp"

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

std::string line_of(const loaded_model& model, const stage_sizes& s) {
  const auto& info = model.info;
  auto where = info.device;
  if (model.device) where = fmt::format("{}, {}", model.device->info().name, model.device->info().model);
  if (!info.detail.empty()) where += ", " + info.detail;
  return fmt::format("{} on {} ({}), input {}x{}, batches of up to {}, {} {}{}", info.name, info.engine, where,
                     model.input.width_px, model.input.height_px, s.batch, s.instances,
                     model.device ? "lane" : "instance", s.instances == 1 ? "" : "s");
}

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

stage_sizes sizes_before_link(const topology::stages_config& stages, std::size_t cores) {
  stage_sizes s;
  s.cores = cores;
  s.instances = static_cast<std::size_t>(stages.inference.instances.value_or(lanes));
  s.batch = static_cast<std::size_t>(stages.inference.batch.max);
  s.decoders = static_cast<std::size_t>(stages.decode.concurrency.value_or(static_cast<int>(cores)));
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

core::expected<prepared_stages> prepare_stages(const topology::config& topology, std::size_t cores,
                                               kernels::device_ptr device) {
  prepared_stages made;
  auto model = load_model(topology.stages, std::move(device));
  if (!model) return tl::unexpected{model.error()};
  made.model = std::move(*model);
  made.sizes = made.model.device ? sizes_on_device(topology.stages, made.model, cores)
                                 : sizes_on_host(topology.stages, made.model, cores);
  made.line = line_of(made.model, made.sizes);
  if (made.model.device) {
    auto ring = inference::batch_ring::make(ring_config_of(made.model, made.sizes));
    if (!ring) return core::fail("stages.inference.batch", ring.error());
    made.ring = std::move(*ring);
  }
  return made;
}

namespace {

/// The input of the model that others run, and how frames get there; nothing that runs it.
core::expected<loaded_model> load_input(topology::stages_config stages, topology::link_tensors as) {
  stages.inference.device = topology::device::cpu;
  stages.inference.precision = topology::precision::automatic;
  stages.inference.providers.clear();
  auto model = load_model(stages);
  if (!model) return model;
  model->session.reset();
  model->head.reset();
  if (as == topology::link_tensors::fp16 && model->input.type == core::element_type::f32)
    model->input.type = model->spec.type = core::element_type::f16;
  return model;
}

/// A model that gets its tensors from host memory, wherever it runs.
core::expected<prepared_stages> prepare_for_tensors(const topology::stages_config& stages, std::size_t cores) {
  prepared_stages made;
  auto model = load_model(stages);
  if (!model) return tl::unexpected{model.error()};
  made.model = std::move(*model);
  const bool there = made.model.device != nullptr;
  auto with = stages;
  if (there && !with.inference.instances) with.inference.instances = lanes;
  made.sizes = sizes_on_host(with, made.model, cores);
  made.line = line_of(made.model, made.sizes);
  if (there)
    made.model.session =
        hosted_session(std::move(made.model.device), std::move(made.model.session), made.model.input.index);
  made.model.device = nullptr;
  return made;
}

} // namespace

core::expected<prepared_stages> prepare_role(const topology::config& topology, const topology::node_config& role,
                                             std::size_t cores) {
  using topology::part;
  core::expected<prepared_stages> made;
  const auto p = topology::part_of(role);
  switch (p) {
  case part::to_frames:
    made->sizes = sizes_before_link(topology.stages, cores);
    made->line = fmt::format("decodes for others, {} frames under way", made->sizes.credits);
    break;
  case part::to_tensors: {
    auto model = load_input(topology.stages, role.link.tensors);
    if (!model) return tl::unexpected{model.error()};
    made->model = std::move(*model);
    made->sizes = sizes_before_link(topology.stages, cores);
    made->line = fmt::format("decodes and preprocesses for others: {} input {}x{} {}, {} tensors under way",
                             made->model.info.name, made->model.input.width_px, made->model.input.height_px,
                             core::to_string(made->model.input.type), made->sizes.credits);
    break;
  }
  case part::from_tensors: made = prepare_for_tensors(topology.stages, cores); break;
  case part::from_frames:
  case part::whole: made = prepare_stages(topology, cores); break;
  case part::none:
  case part::other:
    return core::fail(core::errc::bad_config, fmt::format("nodes.{}.stages: nothing for a worker to do", role.role));
  }
  if (made) {
    made->part = p;
    made->link = role.link;
  }
  return made;
}

media::decode_options decode_options_of(const topology::config& topology) {
  media::decode_options options;
  options.effort = topology.stages.decode.effort == topology::decode_effort::fast ? media::decode_effort::fast
                                                                                  : media::decode_effort::exact;
  options.max_pixels = static_cast<std::uint64_t>(topology.media.max_pixels);
  return options;
}

} // namespace penstock::actors
