#include "inference/image_input.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

namespace penstock::inference {
namespace {

bool is_image_type(core::element_type type) {
  return type != core::element_type::i32 && type != core::element_type::i64;
}

bool is_channels(std::int64_t extent) { return extent == 3 || extent == 1; }

std::optional<image_input> as_image_input(const tensor_info& t) {
  if (t.shape.size() != 4 || t.shape[0] == 0 || !is_image_type(t.type)) return std::nullopt;
  const auto nchw = is_channels(t.shape[1]);
  if (!nchw && !is_channels(t.shape[3])) return std::nullopt;
  const auto px = [&](std::size_t d) { return t.shape[d] == dynamic_extent ? 0 : static_cast<int>(t.shape[d]); };
  // Both can be channels only in a model for pictures 1 or 3 pixels wide: the order of almost all models decides.
  if (nchw) return image_input{0, core::tensor_layout::nchw, t.type, px(1), px(3), px(2)};
  return image_input{0, core::tensor_layout::nhwc, t.type, px(3), px(2), px(1)};
}

std::string list(const std::vector<tensor_info>& tensors) {
  std::string all;
  for (const auto& t : tensors) all += (all.empty() ? "" : ", ") + to_string(t);
  return all.empty() ? "none" : all;
}

std::string size_text(int width_px, int height_px) {
  const auto side = [](int px) { return px == 0 ? std::string{"any"} : std::to_string(px); };
  return side(width_px) + "x" + side(height_px);
}

} // namespace

core::expected<image_input> find_image_input(const model_info& model) {
  std::optional<image_input> found;
  for (std::size_t i = 0; i < model.inputs.size(); ++i) {
    auto input = as_image_input(model.inputs[i]);
    if (!input) continue;
    if (found) {
      return core::fail(core::errc::unsupported,
                        fmt::format("{}: more than one input takes images: {}", model.name, list(model.inputs)));
    }
    found = input;
    found->index = i;
  }
  if (!found) {
    return core::fail(core::errc::unsupported,
                      fmt::format("{}: no input takes images; expected is f32, f16, u8 or i8 [n,3,height,width] or "
                                  "[n,height,width,3] (or 1 channel); the inputs are: {}",
                                  model.name, list(model.inputs)));
  }
  return *found;
}

core::expected<image_input> resolve_image_input(const model_info& model, int width_px, int height_px) {
  auto input = find_image_input(model);
  if (!input) return input;
  const auto& name = model.inputs[input->index];
  if (width_px < 0 || height_px < 0 || (width_px == 0) != (height_px == 0)) {
    return core::fail(core::errc::bad_config, fmt::format("preprocess.size is {}x{}", width_px, height_px));
  }
  if (input->channels != 3) {
    return core::fail(
        core::errc::unsupported,
        fmt::format("{}: input {} takes grey pictures; preprocess makes three channels", model.name, to_string(name)));
  }
  const auto agrees = [](int model_px, int wanted_px) {
    return model_px == 0 || wanted_px == 0 || model_px == wanted_px;
  };
  if (!agrees(input->width_px, width_px) || !agrees(input->height_px, height_px)) {
    return core::fail(core::errc::bad_config,
                      fmt::format("preprocess.size is {}, but {} takes {} (input {})", size_text(width_px, height_px),
                                  model.name, size_text(input->width_px, input->height_px), to_string(name)));
  }
  if (input->width_px == 0) input->width_px = width_px;
  if (input->height_px == 0) input->height_px = height_px;
  if (input->width_px == 0 || input->height_px == 0) {
    return core::fail(core::errc::bad_config,
                      fmt::format("{} takes pictures of any size (input {}), so preprocess.size must say which",
                                  model.name, to_string(name)));
  }
  return input;
}

core::expected<model_info> probe(const session& model, const image_input& input) {
  const auto run = [&](std::int64_t n) {
    const auto shape = input.shape(n);
    core::const_tensor_view images{nullptr, input.type, shape};
    const std::vector<std::byte> blank(images.size_bytes());
    images.data = blank.data();
    return model.run(images);
  };
  auto info = model.info();
  auto one = run(1);
  if (!one) return core::fail(fmt::format("{}: a trial run failed", info.name), std::move(one).error());
  // A batch is of use where every output grows with it; whoever exported the graph may have written 1 into it.
  auto two = info.max_batch > 1 ? run(2) : core::expected<outputs>{};
  bool batches = info.max_batch > 1 && two.has_value();
  for (std::size_t i = 0; i < info.outputs.size(); ++i) {
    const auto shape = one->tensors[i].shape;
    const auto known = [&](std::span<const std::int64_t> s) { return !s.empty() && s.front() == 1; };
    if (batches) {
      const auto pair = two->tensors[i].shape;
      batches = known(shape) && pair.size() == shape.size() && pair.front() == 2 &&
                std::equal(shape.begin() + 1, shape.end(), pair.begin() + 1);
    }
    auto& declared = info.outputs[i].shape;
    const auto batch = declared.empty() ? std::int64_t{1} : declared.front();
    declared.assign(shape.begin(), shape.end());
    if (known(shape)) declared.front() = batch;
  }
  if (!batches) info.max_batch = 1;
  return info;
}

} // namespace penstock::inference
