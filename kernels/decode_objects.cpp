#include "kernels/decode_objects.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "kernels/decode_checks.hpp"
#include "kernels/decode_workspace.hpp"

namespace penstock::kernels {
namespace {

using core::element_type;

tl::unexpected<core::error> unfit(std::string what) {
  return core::fail(core::errc::invalid_argument, std::move(what));
}

/// Elements of one item of an output; 0 where there is none.
std::size_t item_elements(const core::const_tensor_view& output) {
  if (output.shape.empty() || output.shape.front() <= 0) return 0;
  return output.elements() / static_cast<std::size_t>(output.shape.front());
}

/// Whether `numbers` an anchor lie inside their output, which has one of two types.
core::expected<void> check_part(std::string_view name, const strided& part, std::size_t anchors, std::size_t numbers,
                                std::span<const core::const_tensor_view> outputs, std::size_t items, element_type one,
                                element_type other) {
  const auto place = [&] { return "decode: " + std::string{name} + ": "; };
  if (part.output >= outputs.size()) return unfit(place() + "no output " + std::to_string(part.output));
  const auto& output = outputs[part.output];
  if (output.data == nullptr || output.shape.empty() || output.shape.front() < static_cast<std::int64_t>(items))
    return unfit(place() + "output " + std::to_string(part.output) + " has not as many items as the batch");
  if (output.type != one && output.type != other)
    return unfit(place() + "output " + std::to_string(part.output) + " is " + std::string{to_string(output.type)});
  if (anchors == 0 || numbers == 0) return {};
  const auto last = part.first + (anchors - 1) * part.anchor_stride + (numbers - 1) * part.stride;
  if (last >= item_elements(output))
    return unfit(place() + "element " + std::to_string(last) + " of the " + std::to_string(item_elements(output)) +
                 " of an item is read");
  return {};
}

core::expected<void> check_geometry(const geometry& g) {
  const auto least = std::min({g.source_width_px, g.source_height_px, g.tensor_width_px, g.tensor_height_px,
                               g.resized_width_px, g.resized_height_px});
  if (least < 1) return unfit("decode: a geometry without area");
  return {};
}

} // namespace

core::expected<void> check_outputs(const object_spec& spec, std::span<const core::const_tensor_view> outputs,
                                   std::size_t items) {
  constexpr auto f32 = element_type::f32;
  constexpr auto f16 = element_type::f16;
  constexpr std::size_t most_anchors = std::size_t{1} << 31U; // they are counted in 32 bits
  if (spec.anchors > most_anchors || spec.classes > most_anchors) return unfit("decode: too many anchors or classes");
  if (spec.coding == box_coding::fastestdet && (spec.columns == 0 || spec.anchors % spec.columns != 0))
    return unfit("decode: anchors that are no grid");
  if (spec.rule == score_rule::weighted_product && !spec.objectness) return unfit("decode: no objectness to weigh");
  const auto scores = spec.labels ? std::size_t{1} : spec.classes;
  auto fits = check_part("scores", spec.scores, spec.anchors, scores, outputs, items, f32, f16);
  if (fits) fits = check_part("boxes", spec.boxes, spec.anchors, 4, outputs, items, f32, f16);
  if (fits && spec.objectness) {
    const auto type = outputs[spec.scores.output].type;
    fits = check_part("objectness", *spec.objectness, spec.anchors, 1, outputs, items, type, type);
  }
  if (fits && spec.labels) {
    fits = check_part("labels", *spec.labels, spec.anchors, 1, outputs, items, element_type::i32, element_type::i64);
  }
  return fits;
}

core::expected<void> check_outputs(const class_spec& spec, std::span<const core::const_tensor_view> outputs,
                                   std::size_t items) {
  const strided values{spec.output, 0, spec.classes, 1};
  return check_part("values", values, spec.classes == 0 ? 0 : 1, spec.classes, outputs, items, element_type::f32,
                    element_type::f16);
}

std::size_t workspace_bytes(const object_spec& spec, std::size_t items) noexcept {
  return decoding::plan_workspace(spec, items).bytes;
}

std::size_t workspace_bytes(const class_spec& spec, std::size_t items) noexcept {
  return items * spec.classes * sizeof(std::uint64_t);
}

core::expected<void> check(const decode_batch& job) {
  if ((job.objects != nullptr) == (job.classes != nullptr)) return unfit("decode: objects or classes, one of them");
  const auto items = job.geometries.size();
  const auto& table = job.table;
  if (table.items < items) return unfit("decode: the table has less items than the batch");
  if (items > 0 && (table.counts == nullptr || table.objects == nullptr)) return unfit("decode: there is no table");
  const auto most = job.objects != nullptr ? std::min(job.objects->max_objects, job.objects->anchors)
                                           : std::min(job.classes->top_k, job.classes->classes);
  if (table.max_objects < most) return unfit("decode: the table has no room for all objects of an item");
  for (const auto& g : job.geometries) {
    if (auto fits = check_geometry(g); !fits) return fits;
  }
  return job.objects != nullptr ? check_outputs(*job.objects, job.outputs, items)
                                : check_outputs(*job.classes, job.outputs, items);
}

} // namespace penstock::kernels
