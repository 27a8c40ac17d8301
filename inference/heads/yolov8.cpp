#include "inference/heads/outputs_of.hpp"
#include "kernels/boxes.hpp"

namespace penstock::inference {
namespace {

/// YOLOv8 and YOLO11: one plane a channel, cx, cy, w, h in tensor pixels, then class scores after sigmoid.
class yolov8_head final : public decoder_head {
 public:
  yolov8_head(output_slot planes, const head_options& options) : planes_{std::move(planes)}, options_{options} {}

  std::size_t classes() const noexcept override { return planes_.extent(1) - 4; }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    const auto planes = f32_item_of(batch, planes_, item);
    if (!planes) return tl::unexpected{planes.error()};
    const auto anchors = planes_.extent(2);
    std::vector<kernels::candidate> candidates;
    kernels::best_class_planar(*planes + 4 * anchors, anchors, classes(), anchors, nullptr, options_.score, candidates);
    objects.clear();
    for (const auto& c : candidates) {
      const auto* at = *planes + c.index;
      objects.push_back(
          {c.class_index, c.score, kernels::from_center(at[0], at[anchors], at[2 * anchors], at[3 * anchors])});
    }
    finish_with_nms(objects, geometry, options_);
    return {};
  }

 private:
  output_slot planes_;
  head_options options_;
};

} // namespace

core::expected<head_ptr> make_yolov8(const model_info& model, const head_options& options) {
  auto planes = find_output(model, core::element_type::f32, 3);
  if (!planes || planes->shape[1] < 5 || planes->shape[2] < planes->shape[1]) {
    return wrong_outputs(model, "yolov8", "f32[n,4+classes,anchors] (exported without NMS)");
  }
  return std::make_shared<yolov8_head>(*std::move(planes), options);
}

} // namespace penstock::inference
