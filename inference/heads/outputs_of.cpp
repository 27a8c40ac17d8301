#include "inference/heads/outputs_of.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>

#include "kernels/nms.hpp"

namespace penstock::inference {
namespace {

std::optional<output_slot> as_slot(const model_info& model, std::size_t i, core::element_type type, std::size_t rank) {
  const auto& t = model.outputs[i];
  if (t.type != type || t.shape.size() != rank) return std::nullopt;
  const auto known = [](std::int64_t extent) { return extent > 0; };
  if (!std::all_of(t.shape.begin() + 1, t.shape.end(), known)) return std::nullopt;
  return output_slot{i, type, t.shape};
}

void clip_to_frame(std::vector<core::detection>& objects, const kernels::geometry& geometry) {
  for (auto& object : objects) object.box = geometry.clip(object.box);
  std::erase_if(objects, [](const core::detection& d) { return !(d.box.w > 0 && d.box.h > 0); });
}

} // namespace

std::optional<output_slot> find_output(const model_info& model, core::element_type type, std::size_t rank,
                                       std::optional<std::int64_t> last) {
  for (std::size_t i = 0; i < model.outputs.size(); ++i) {
    auto slot = as_slot(model, i, type, rank);
    if (slot && (!last || slot->shape.back() == *last)) return slot;
  }
  return std::nullopt;
}

std::optional<output_slot> find_output(const model_info& model, std::string_view name, core::element_type type,
                                       std::size_t rank) {
  for (std::size_t i = 0; i < model.outputs.size(); ++i) {
    if (model.outputs[i].name == name) return as_slot(model, i, type, rank);
  }
  return std::nullopt;
}

tl::unexpected<core::error> wrong_outputs(const model_info& model, std::string_view head, std::string_view expected) {
  std::string found;
  for (const auto& t : model.outputs) found += (found.empty() ? "" : ", ") + to_string(t);
  return core::fail(core::errc::bad_config, fmt::format("head {} expects {}; {} has the outputs {}", head, expected,
                                                        model.name, found.empty() ? "none" : found));
}

core::expected<const void*> item_of(const outputs& batch, const output_slot& slot, std::size_t item) {
  const auto* tensor = slot.index < batch.tensors.size() ? &batch.tensors[slot.index] : nullptr;
  const bool fits = tensor && tensor->type == slot.type && tensor->shape.size() == slot.shape.size() &&
                    std::equal(slot.shape.begin() + 1, slot.shape.end(), tensor->shape.begin() + 1) &&
                    static_cast<std::int64_t>(item) < tensor->shape.front();
  if (!fits) {
    return core::fail(
        core::errc::engine,
        fmt::format("no item {} of {}[{}] in output {}: {}", item, core::to_string(slot.type),
                    fmt::join(slot.shape, ","), slot.index,
                    tensor ? fmt::format("it is {}[{}]", core::to_string(tensor->type), fmt::join(tensor->shape, ","))
                           : "there are only " + std::to_string(batch.tensors.size())));
  }
  const auto item_bytes = tensor->size_bytes() / static_cast<std::size_t>(tensor->shape.front());
  return static_cast<const std::byte*>(tensor->data) + item * item_bytes;
}

void finish_with_nms(std::vector<core::detection>& objects, const kernels::geometry& geometry,
                     const head_options& options) {
  for (auto& object : objects) object.box = geometry.to_source(object.box);
  kernels::nms_spec spec;
  spec.score = options.score;
  spec.iou = options.iou;
  spec.class_agnostic = options.class_agnostic;
  spec.max_objects = options.max_objects;
  kernels::nms(objects, spec);
  clip_to_frame(objects, geometry);
}

void finish_without_nms(std::vector<core::detection>& objects, const kernels::geometry& geometry,
                        const head_options& options) {
  for (auto& object : objects) object.box = geometry.to_source(object.box);
  std::ranges::stable_sort(objects, std::ranges::greater{}, &core::detection::score);
  clip_to_frame(objects, geometry);
  if (objects.size() > options.max_objects) objects.resize(options.max_objects);
}

} // namespace penstock::inference
