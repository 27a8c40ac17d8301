#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "inference/batch_ring_lane.hpp"
#include "kernels/convert.hpp"

/// What comes back from the device: tables of objects, or whole outputs for heads that decode on the CPU.
namespace penstock::inference {
namespace {

constexpr std::size_t alignment = 256;

constexpr std::size_t round_up(std::size_t bytes) noexcept { return (bytes + alignment - 1) / alignment * alignment; }

/// Bytes of all outputs of `items` images, 0 where the model leaves an extent open.
std::size_t output_bytes(const model_info& model, std::size_t items) noexcept {
  std::size_t all = 0;
  for (const auto& output : model.outputs) {
    auto bytes = items * core::size_of(output.type);
    for (std::size_t d = 1; d < output.shape.size(); ++d) {
      if (output.shape[d] == dynamic_extent) return 0;
      bytes *= static_cast<std::size_t>(output.shape[d]);
    }
    all += round_up(bytes);
  }
  return all;
}

} // namespace

lane_layout lane_layout::of(const batch_ring_config& config) {
  lane_layout l;
  l.slots = config.batch;
  const auto* model = config.session ? &config.session->info() : nullptr;
  if (model != nullptr && config.input.index < model->inputs.size()) {
    const auto& shape = model->inputs[config.input.index].shape;
    l.fixed = !shape.empty() && shape.front() != dynamic_extent;
    if (l.fixed) l.slots = static_cast<std::size_t>(shape.front());
  }
  const auto shape = config.input.shape(static_cast<std::int64_t>(l.slots));
  l.tensor = core::const_tensor_view{nullptr, config.spec.type, shape}.size_bytes();
  const auto* objects = config.head ? config.head->object_layout() : nullptr;
  const auto* classes = config.head ? config.head->class_layout() : nullptr;
  if (objects != nullptr) {
    l.max_objects = objects->max_objects;
    l.workspace = kernels::workspace_bytes(*objects, config.batch);
  } else if (classes != nullptr) {
    l.max_objects = classes->top_k;
    l.workspace = kernels::workspace_bytes(*classes, config.batch);
  } else if (model != nullptr) {
    l.outputs = output_bytes(*model, l.slots);
  }
  if (l.max_objects > 0) {
    l.objects_at = round_up(config.batch * sizeof(std::uint32_t));
    l.table = l.objects_at + config.batch * l.max_objects * sizeof(kernels::device_object);
  }
  return l;
}

core::expected<void> ring_lane::fetch_outputs() {
  const auto images = layout_.fixed ? layout_.slots : admitted_.size();
  host_outputs_.resize(outputs_.tensors.size());
  std::size_t all = 0;
  for (std::size_t i = 0; i < host_outputs_.size(); ++i) {
    const auto& tensor = outputs_.tensors[i];
    auto& here = host_outputs_[i];
    here.type = tensor.type;
    here.shape.assign(tensor.shape.begin(), tensor.shape.end());
    // what a fixed batch was padded with stays behind
    if (!here.shape.empty() && here.shape.front() == static_cast<std::int64_t>(images))
      here.shape.front() = static_cast<std::int64_t>(admitted_.size());
    here.at = all;
    here.bytes = core::const_tensor_view{nullptr, here.type, here.shape}.size_bytes();
    all += round_up(here.bytes);
  }
  core::expected<void> ok;
  if (all > home_.size_bytes()) ok = memory_->replace(home_, all, core::memory_kind::host);
  for (std::size_t i = 0; ok && i < host_outputs_.size(); ++i) {
    const auto& here = host_outputs_[i];
    if (here.bytes == 0) continue;
    ok = device_->copy(*compute_, home_.data() + here.at, static_cast<const std::byte*>(outputs_.tensors[i].data),
                       here.bytes);
  }
  return ok;
}

void ring_lane::read_table(batch_result& result) const {
  const auto* counts = reinterpret_cast<const std::uint32_t*>(home_.data());
  const auto* objects = reinterpret_cast<const kernels::device_object*>(home_.data() + layout_.objects_at);
  for (std::size_t i = 0; i < admitted_.size(); ++i) {
    const std::span found{objects + i * layout_.max_objects, std::min<std::size_t>(counts[i], layout_.max_objects)};
    auto& item = *result.items[admitted_[i].item].objects;
    item.reserve(found.size());
    for (const auto& o : found) item.push_back({o.class_index, o.score, {o.x, o.y, o.w, o.h}});
  }
}

void ring_lane::decode_outputs(batch_result& result) {
  const auto began = std::chrono::steady_clock::now();
  outputs here;
  for (auto& output : host_outputs_) {
    core::const_tensor_view tensor{home_.data() + output.at, output.type, output.shape};
    if (output.type == core::element_type::f16) {
      output.widened.resize(tensor.elements());
      kernels::to_f32({reinterpret_cast<const std::uint16_t*>(tensor.data), tensor.elements()}, output.widened);
      tensor.data = output.widened.data();
      tensor.type = core::element_type::f32;
    }
    here.tensors.push_back(tensor);
  }
  for (std::size_t i = 0; i < admitted_.size(); ++i) {
    auto& item = result.items[admitted_[i].item];
    auto decoded = config_->head->decode(here, i, item.geometry, *item.objects);
    if (!decoded) item.objects = tl::unexpected{std::move(decoded).error()};
  }
  result.postprocess += std::chrono::round<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
}

} // namespace penstock::inference
