#include "inference/heads/object_head.hpp"

namespace penstock::inference {

/// YOLOv5 and YOLOv7: one row an anchor, cx, cy, w, h in tensor pixels, objectness, class scores; all after sigmoid.
core::expected<head_ptr> make_yolov5(const model_info& model, const head_options& options) {
  auto rows = find_output(model, core::element_type::f32, 3);
  if (!rows || rows->shape[2] < 6 || rows->shape[1] < rows->shape[2]) {
    return wrong_outputs(model, "yolov5", "f32[n,anchors,5+classes] (exported with its grid decoded and without NMS)");
  }
  const auto row = rows->extent(2);
  auto spec = object_spec_of(options);
  spec.anchors = rows->extent(1);
  spec.classes = row - 5;
  spec.boxes = {rows->index, 0, row, 1};
  spec.objectness = {rows->index, 4, row, 1};
  spec.scores = {rows->index, 5, row, 1};
  return make_object_head(spec, {*rows}, spec.classes);
}

} // namespace penstock::inference
