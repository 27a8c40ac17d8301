#include "actors/model.hpp"

#include <utility>

#include "inference/labels.hpp"

namespace penstock::actors {

namespace {

kernels::preprocess_spec spec_of(const topology::preprocess_config& config, const inference::image_input& input) {
  kernels::preprocess_spec spec;
  spec.width_px = input.width_px;
  spec.height_px = input.height_px;
  switch (config.fit) {
  case topology::resize_fit::letterbox: spec.fit = kernels::fit::letterbox; break;
  case topology::resize_fit::stretch: spec.fit = kernels::fit::stretch; break;
  case topology::resize_fit::crop: spec.fit = kernels::fit::crop; break;
  }
  spec.filter = config.filter == topology::resize_filter::area ? kernels::filter::area : kernels::filter::bilinear;
  spec.order = config.color == topology::color_order::bgr ? kernels::channel_order::bgr : kernels::channel_order::rgb;
  spec.mean = config.mean;
  spec.scale = config.scale;
  spec.pad = config.pad;
  spec.layout = input.layout;
  spec.type = input.type;
  return spec;
}

inference::head_options options_of(const topology::postprocess_config& config) {
  inference::head_options options;
  options.score = config.score;
  options.iou = config.iou;
  options.max_objects = static_cast<std::size_t>(config.max_objects);
  options.top_k = static_cast<std::size_t>(config.top_k);
  options.class_agnostic = config.class_agnostic;
  return options;
}

std::string device_name(topology::device device) {
  switch (device) {
  case topology::device::automatic: return "auto";
  case topology::device::cpu: return "cpu";
  case topology::device::cuda: return "cuda";
  }
  return "auto";
}

} // namespace

core::expected<loaded_model> load_model(const topology::stages_config& stages) {
  const auto& inference = stages.inference;
  loaded_model model;
  auto session =
      inference::load_model(inference.engine, inference.model, {device_name(inference.device), inference.threads});
  if (!session) return core::fail("stages.inference", session.error());
  model.session = std::move(*session);

  const auto size = stages.preprocess.size.value_or(topology::size_px{});
  auto input = inference::resolve_image_input(model.session->info(), size.width, size.height);
  if (!input) return core::fail("stages.preprocess.size", input.error());
  model.input = *input;
  if (model.input.channels != 3)
    return core::fail(core::errc::unsupported, "stages.inference.model: the model takes pictures of " +
                                                   std::to_string(model.input.channels) +
                                                   " channel; only 3 are supported");

  auto info = inference::probe(*model.session, model.input);
  if (!info) return core::fail("stages.inference.model", info.error());
  model.info = std::move(*info);

  auto head = inference::make_head(stages.postprocess.head, model.info, options_of(stages.postprocess));
  if (!head) return core::fail("stages.postprocess.head", head.error());
  model.head = std::move(*head);

  std::vector<std::string> labels;
  if (!stages.postprocess.labels.empty()) {
    auto loaded = inference::load_labels(stages.postprocess.labels);
    if (!loaded) return core::fail("stages.postprocess.labels", loaded.error());
    labels = std::move(*loaded);
  }
  auto checked = inference::labels_for(std::move(labels), model.head->classes());
  if (!checked) return core::fail("stages.postprocess.labels", checked.error());
  model.labels = std::make_shared<const std::vector<std::string>>(std::move(*checked));

  model.spec = spec_of(stages.preprocess, model.input);
  if (auto valid = model.spec.validate(); !valid) return core::fail("stages.preprocess", valid.error());
  return model;
}

} // namespace penstock::actors
