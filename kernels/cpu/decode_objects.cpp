#include "kernels/decode_objects.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/boxes.hpp"
#include "kernels/convert.hpp"
#include "kernels/decode_checks.hpp"
#include "kernels/decode_classes.hpp"
#include "kernels/decode_scan.hpp"
#include "kernels/nms.hpp"

namespace penstock::kernels::cpu {
namespace {

using namespace decoding;

/// Where an item's part of an output starts.
template <class T>
const T* start_of(std::span<const core::const_tensor_view> outputs, std::size_t output, std::size_t item,
                  std::size_t first) {
  const auto& o = outputs[output];
  return static_cast<const T*>(o.data) + item * (o.elements() / static_cast<std::size_t>(o.shape.front())) + first;
}

score_view<float> scores_of(const object_spec& spec, std::span<const core::const_tensor_view> outputs,
                            std::size_t item) {
  score_view<float> view;
  view.scores = start_of<float>(outputs, spec.scores.output, item, spec.scores.first);
  if (const auto& o = spec.objectness) view.objectness = start_of<float>(outputs, o->output, item, o->first);
  if (const auto& l = spec.labels; l && outputs[l->output].type == core::element_type::i32) {
    view.labels32 = start_of<std::int32_t>(outputs, l->output, item, l->first);
  } else if (l) {
    view.labels64 = start_of<std::int64_t>(outputs, l->output, item, l->first);
  }
  return view;
}

/// Candidates in the order of their anchors, by the vectorised searches where the numbers lie as those want them.
void find_candidates(const object_spec& spec, const score_view<float>& from, std::vector<candidate>& found) {
  const bool weighted = spec.rule == score_rule::weighted_product;
  const auto least = weighted ? least_class_score(spec.score) : spec.score;
  const auto* factor = weighted ? nullptr : from.objectness;
  const auto factor_stride = factor == nullptr ? spec.scores.anchor_stride : spec.objectness->anchor_stride;
  if (!spec.labels && spec.scores.anchor_stride == 1 && factor_stride == 1) {
    best_class_planar(from.scores, spec.scores.stride, spec.classes, spec.anchors, factor, least, found);
  } else if (!spec.labels && spec.scores.stride == 1 && factor_stride == spec.scores.anchor_stride) {
    best_class_interleaved(from.scores, factor_stride, spec.classes, spec.anchors, factor, least, found);
  } else {
    best_scores<1> best;
    for (std::uint32_t a = 0; a < spec.anchors; ++a) {
      scan_anchors<1>(spec, least, from, a, best);
      if (best.passes[0]) found.push_back({a, best.class_index[0], best.score[0]});
    }
    return;
  }
  for (auto& c : found) {
    if (weighted) c.score = weighted_product(from.objectness[c.index * spec.objectness->anchor_stride], c.score);
    c.class_index += spec.first_class;
  }
  if (weighted) std::erase_if(found, [&](const candidate& c) { return !(c.score >= spec.score); });
}

void clip_to_frame(std::vector<core::detection>& objects, const geometry& geometry) {
  for (auto& object : objects) object.box = geometry.clip(object.box);
  std::erase_if(objects, [](const core::detection& d) { return !(d.box.w > 0 && d.box.h > 0); });
}

/// The outputs, those of them that are f16 as f32.
class widened {
 public:
  explicit widened(std::span<const core::const_tensor_view> outputs) : views_(outputs.begin(), outputs.end()) {
    for (auto& view : views_) {
      if (view.type != core::element_type::f16) continue;
      auto& wide = numbers_.emplace_back(view.elements());
      to_f32({static_cast<const std::uint16_t*>(view.data), wide.size()}, wide);
      view.data = wide.data();
      view.type = core::element_type::f32;
    }
  }

  [[nodiscard]] std::span<const core::const_tensor_view> views() const { return views_; }

 private:
  std::vector<core::const_tensor_view> views_;
  std::vector<std::vector<float>> numbers_;
};

core::expected<void> need_f32(std::size_t output, std::span<const core::const_tensor_view> outputs) {
  if (outputs[output].type == core::element_type::f32) return {};
  return core::fail(core::errc::invalid_argument, "decode: host outputs must be f32");
}

void write(const object_table& table, std::size_t item, const std::vector<core::detection>& objects) {
  auto* to = table.objects + item * table.max_objects;
  for (const auto& o : objects) *to++ = {o.box.x, o.box.y, o.box.w, o.box.h, o.score, o.class_index};
  table.counts[item] = static_cast<std::uint32_t>(objects.size());
}

} // namespace

core::expected<void> decode_item(const object_spec& spec, std::span<const core::const_tensor_view> outputs,
                                 std::size_t item, const geometry& geometry, std::vector<core::detection>& objects) {
  auto fits = check_outputs(spec, outputs, item + 1);
  if (fits) fits = need_f32(spec.scores.output, outputs);
  if (fits) fits = need_f32(spec.boxes.output, outputs);
  if (!fits) return fits;

  std::vector<candidate> candidates;
  find_candidates(spec, scores_of(spec, outputs, item), candidates);
  const auto* boxes = start_of<float>(outputs, spec.boxes.output, item, spec.boxes.first);
  objects.clear();
  objects.reserve(candidates.size());
  for (const auto& c : candidates) {
    const auto* at = boxes + c.index * spec.boxes.anchor_stride;
    const auto stride = spec.boxes.stride;
    const float numbers[4] = {at[0], at[stride], at[2 * stride], at[3 * stride]};
    objects.push_back({c.class_index, c.score, to_source(tensor_box(spec, c.index, numbers, geometry), geometry)});
  }
  if (spec.suppress) {
    nms(objects, {.score = spec.score,
                  .iou = spec.iou,
                  .class_agnostic = spec.class_agnostic,
                  .max_candidates = spec.max_candidates,
                  .max_objects = spec.max_objects});
    clip_to_frame(objects, geometry);
    return {};
  }
  std::ranges::stable_sort(objects, std::ranges::greater{}, &core::detection::score);
  clip_to_frame(objects, geometry);
  if (objects.size() > spec.max_objects) objects.resize(spec.max_objects);
  return {};
}

core::expected<void> decode_item(const class_spec& spec, std::span<const core::const_tensor_view> outputs,
                                 std::size_t item, const geometry& geometry, std::vector<core::detection>& objects) {
  auto fits = check_outputs(spec, outputs, item + 1);
  if (fits) fits = need_f32(spec.output, outputs);
  if (!fits) return fits;
  objects.clear();
  const std::span values{start_of<float>(outputs, spec.output, item, 0), spec.classes};
  value_totals totals;
  for (auto v : values) totals.see(v);
  double exps = 0;
  if (!totals.are_probabilities()) {
    for (auto v : values) exps += exp_above(v, totals.most);
    if (!(exps > 0)) return {}; // there is something that is not a number
  }
  std::vector<std::int32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto value = [&](std::int32_t c) { return values[static_cast<std::size_t>(c)]; };
  const auto better = [&](std::int32_t a, std::int32_t b) {
    return value(a) > value(b) || (value(a) == value(b) && a < b);
  };
  const auto k = std::min(spec.top_k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(), better);
  const core::box frame{0, 0, static_cast<float>(geometry.source_width_px),
                        static_cast<float>(geometry.source_height_px)};
  for (auto c : std::span{order}.first(k)) {
    const auto score = probability_of(value(c), totals.most, exps);
    if (score >= spec.score) objects.push_back({c, score, frame});
  }
  return {};
}

core::expected<void> decode(const decode_batch& job) {
  if (auto fits = check(job); !fits) return fits;
  const widened outputs{job.outputs};
  std::vector<core::detection> objects;
  for (std::size_t item = 0; item < job.geometries.size(); ++item) {
    const auto& geometry = job.geometries[item];
    auto done = job.objects != nullptr ? decode_item(*job.objects, outputs.views(), item, geometry, objects)
                                       : decode_item(*job.classes, outputs.views(), item, geometry, objects);
    if (!done) return done;
    write(job.table, item, objects);
  }
  return {};
}

} // namespace penstock::kernels::cpu
