#include "inference/heads/object_head.hpp"

namespace penstock::inference {

/// YOLOv8 and YOLO11: one plane a channel, cx, cy, w, h in tensor pixels, then class scores after sigmoid.
core::expected<head_ptr> make_yolov8(const model_info& model, const head_options& options) {
  auto planes = find_output(model, core::element_type::f32, 3);
  if (!planes || planes->shape[1] < 5 || planes->shape[2] < planes->shape[1]) {
    return wrong_outputs(model, "yolov8", "f32[n,4+classes,anchors] (exported without NMS)");
  }
  auto spec = object_spec_of(options);
  spec.anchors = planes->extent(2);
  spec.classes = planes->extent(1) - 4;
  spec.boxes = {planes->index, 0, 1, spec.anchors};
  spec.scores = {planes->index, 4 * spec.anchors, 1, spec.anchors};
  return make_object_head(spec, {*planes}, spec.classes);
}

} // namespace penstock::inference
