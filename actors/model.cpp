#include "actors/model.hpp"

#include <charconv>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <system_error>
#include <utility>

#include "actors/device_trial.hpp"
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

inference::load_options load_options_of(const topology::stages_config& stages) {
  const auto& config = stages.inference;
  inference::load_options options;
  options.device = device_name(config.device);
  options.threads = config.threads;
  switch (config.precision) {
  case topology::precision::automatic: options.precision = inference::precision::model; break;
  case topology::precision::fp32: options.precision = inference::precision::f32; break;
  case topology::precision::fp16: options.precision = inference::precision::f16; break;
  }
  for (const auto provider : config.providers) {
    switch (provider) {
    case topology::provider::tensorrt: options.providers.emplace_back("tensorrt"); break;
    case topology::provider::cuda: options.providers.emplace_back("cuda"); break;
    case topology::provider::cpu: options.providers.emplace_back("cpu"); break;
    }
  }
  options.cache_folder = config.cache;
  const auto size = stages.preprocess.size.value_or(topology::size_px{});
  options.width_px = size.width;
  options.height_px = size.height;
  options.max_batch = config.batch.max;
  options.progress = [](std::string_view text) { spdlog::info("{}", text); };
  return options;
}

core::expected<kernels::device_ptr> open_device(const inference::model_info& info) {
  const auto index = cuda_index(info.device);
  if (!index)
    return core::fail(core::errc::unsupported,
                      fmt::format("{} runs on {}, where this build has no kernels", info.name, info.device));
  return kernels::open_cuda_device(static_cast<std::size_t>(*index));
}

/// The session, and where it takes its images from device memory that device. Where that one cannot be used and the
/// topology leaves the choice, the model runs on the CPU.
core::expected<void> load_session(const topology::stages_config& stages, loaded_model& model) {
  const auto& config = stages.inference;
  auto options = load_options_of(stages);
  auto session = inference::load_model(config.engine, config.model, options);
  if (!session) return core::fail("stages.inference", session.error());
  model.session = std::move(*session);
  if (model.session->info().memory == core::memory_kind::host) return {};
  auto device = open_device(model.session->info());
  if (device) {
    model.device = std::move(*device);
    return {};
  }
  if (config.device == topology::device::cuda) return core::fail("stages.inference.device", device.error());
  spdlog::warn("inference: on the CPU, since {}", device.error().message);
  options.device = "cpu";
  session = inference::load_model(config.engine, config.model, options);
  if (!session) return core::fail("stages.inference", session.error());
  model.session = std::move(*session);
  return {};
}

/// Frames decoded on a GPU stay in its memory, so the model must run there.
core::expected<void> choose_decoder(const topology::decode_config& config, loaded_model& model) {
  if (config.device == topology::device::cpu) return {};
  model.cuda_decode = model.device ? cuda_index(model.device->info().name) : std::nullopt;
  if (model.cuda_decode || config.device == topology::device::automatic) return {};
  return core::fail(
      core::errc::bad_config,
      fmt::format("stages.decode.device: found 'cuda', but frames decoded on a GPU stay in its memory and "
                  "the model runs on {}; allowed: auto, cpu",
                  model.session->info().device));
}

} // namespace

std::optional<int> cuda_index(std::string_view device) {
  constexpr std::string_view prefix = "cuda:";
  if (device == "cuda") return 0;
  if (!device.starts_with(prefix)) return std::nullopt;
  device.remove_prefix(prefix.size());
  int index = 0;
  const auto [end, error] = std::from_chars(device.data(), device.data() + device.size(), index);
  if (error != std::errc{} || end != device.data() + device.size()) return std::nullopt;
  return index;
}

core::expected<loaded_model> load_model(const topology::stages_config& stages, kernels::device_ptr on) {
  loaded_model model;
  if (auto loaded = load_session(stages, model); !loaded) return tl::unexpected{loaded.error()};
  if (on) model.device = std::move(on);
  if (auto chosen = choose_decoder(stages.decode, model); !chosen) return tl::unexpected{chosen.error()};

  const auto size = stages.preprocess.size.value_or(topology::size_px{});
  auto input = inference::resolve_image_input(model.session->info(), size.width, size.height);
  if (!input) return core::fail("stages.preprocess.size", input.error());
  model.input = *input;
  if (model.input.channels != 3)
    return core::fail(core::errc::unsupported, "stages.inference.model: the model takes pictures of " +
                                                   std::to_string(model.input.channels) +
                                                   " channel; only 3 are supported");

  const bool there = model.session->info().memory == core::memory_kind::device;
  auto info =
      there ? probe_on(*model.device, model.session, model.input) : inference::probe(*model.session, model.input);
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
