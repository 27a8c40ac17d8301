#include "inference/heads/object_head.hpp"

namespace penstock::inference {

/// FastestDet (github.com/dog-qiuqiu/FastestDet): one object a grid cell. Channels: objectness, centre offsets (before
/// tanh, in cells), size (before sigmoid, of the image), class probabilities; score = objectness^0.6 · class^0.4.
core::expected<head_ptr> make_fastestdet(const model_info& model, const head_options& options) {
  auto grid = find_output(model, core::element_type::f32, 4);
  if (!grid || grid->shape[1] < 6) {
    return wrong_outputs(model, "fastestdet", "f32[n,5+classes,rows,columns]");
  }
  auto spec = object_spec_of(options);
  spec.columns = grid->extent(3);
  spec.anchors = grid->extent(2) * spec.columns;
  spec.classes = grid->extent(1) - 5;
  spec.objectness = {grid->index, 0, 1, spec.anchors};
  spec.boxes = {grid->index, spec.anchors, 1, spec.anchors};
  spec.scores = {grid->index, 5 * spec.anchors, 1, spec.anchors};
  spec.coding = kernels::box_coding::fastestdet;
  spec.rule = kernels::score_rule::weighted_product;
  return make_object_head(spec, {*grid}, spec.classes);
}

} // namespace penstock::inference
