#include "inference/heads/object_head.hpp"

namespace penstock::inference {

/// SSD-like: class probabilities with background as class 0, and decoded boxes x1, y1, x2, y2 relative to the tensor.
/// An object keeps the model's class number, so the first label is the background's.
core::expected<head_ptr> make_ssd(const model_info& model, const head_options& options) {
  auto scores = find_output(model, "scores", core::element_type::f32, 3);
  auto boxes = find_output(model, "boxes", core::element_type::f32, 3);
  if (!scores || !boxes || boxes->shape[2] != 4 || scores->shape[2] < 2 || scores->shape[1] != boxes->shape[1]) {
    return wrong_outputs(model, "ssd",
                         "`scores` f32[n,anchors,classes] (class 0 the background) and `boxes` f32[n,anchors,4]");
  }
  const auto classes = scores->extent(2);
  auto spec = object_spec_of(options);
  spec.anchors = scores->extent(1);
  spec.classes = classes - 1;
  spec.first_class = 1;
  spec.scores = {scores->index, 1, classes, 1};
  spec.boxes = {boxes->index, 0, 4, 1};
  spec.coding = kernels::box_coding::corners;
  spec.relative = true;
  return make_object_head(spec, {*scores, *boxes}, classes);
}

} // namespace penstock::inference
