#include "inference/heads/object_head.hpp"

namespace penstock::inference {
namespace {

/// As its authors export it: `labels`, `boxes` (x1, y1, x2, y2 in pixels of the sizes input, which every engine here
/// gives as the tensor's) and `scores`, one per query.
head_ptr by_queries(kernels::object_spec spec, const output_slot& labels, const output_slot& boxes,
                    const output_slot& scores) {
  spec.anchors = scores.extent(1);
  spec.labels = {labels.index, 0, 1, 1};
  spec.scores = {scores.index, 0, 1, 1};
  spec.boxes = {boxes.index, 0, 4, 1};
  spec.coding = kernels::box_coding::corners;
  return make_object_head(spec, {labels, boxes, scores}, 0);
}

/// As Ultralytics exports it: a row a query, cx, cy, w, h relative to the tensor, then class probabilities.
head_ptr by_rows(kernels::object_spec spec, const output_slot& rows) {
  const auto row = rows.extent(2);
  spec.anchors = rows.extent(1);
  spec.classes = row - 4;
  spec.boxes = {rows.index, 0, row, 1};
  spec.scores = {rows.index, 4, row, 1};
  spec.relative = true;
  return make_object_head(spec, {rows}, spec.classes);
}

} // namespace

/// RT-DETR needs no suppression.
core::expected<head_ptr> make_rtdetr(const model_info& model, const head_options& options) {
  auto spec = object_spec_of(options);
  spec.suppress = false;
  auto labels = find_output(model, core::element_type::i64, 2);
  if (!labels) labels = find_output(model, core::element_type::i32, 2);
  auto boxes = find_output(model, core::element_type::f32, 3, 4);
  auto scores = find_output(model, core::element_type::f32, 2);
  if (labels && boxes && scores && labels->shape[1] == scores->shape[1] && boxes->shape[1] == scores->shape[1]) {
    return by_queries(spec, *labels, *boxes, *scores);
  }
  auto rows = find_output(model, core::element_type::f32, 3);
  if (!labels && !scores && rows && rows->shape[2] >= 5) return by_rows(spec, *rows);
  return wrong_outputs(model, "rtdetr",
                       "labels i64[n,queries], boxes f32[n,queries,4] and scores f32[n,queries], or one output "
                       "f32[n,queries,4+classes]");
}

} // namespace penstock::inference
