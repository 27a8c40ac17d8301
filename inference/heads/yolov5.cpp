#include "inference/heads/outputs_of.hpp"
#include "kernels/boxes.hpp"

namespace penstock::inference {
namespace {

/// YOLOv5 and YOLOv7: one row an anchor, cx, cy, w, h in tensor pixels, objectness, class scores; all after sigmoid.
class yolov5_head final : public decoder_head {
 public:
  yolov5_head(output_slot rows, const head_options& options) : rows_{std::move(rows)}, options_{options} {}

  std::size_t classes() const noexcept override { return rows_.extent(2) - 5; }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    const auto rows = f32_item_of(batch, rows_, item);
    if (!rows) return tl::unexpected{rows.error()};
    const auto stride = rows_.extent(2);
    std::vector<kernels::candidate> candidates;
    kernels::best_class_interleaved(*rows + 5, stride, classes(), rows_.extent(1), *rows + 4, options_.score,
                                    candidates);
    objects.clear();
    for (const auto& c : candidates) {
      const auto* row = *rows + c.index * stride;
      objects.push_back({c.class_index, c.score, kernels::from_center(row[0], row[1], row[2], row[3])});
    }
    finish_with_nms(objects, geometry, options_);
    return {};
  }

 private:
  output_slot rows_;
  head_options options_;
};

} // namespace

core::expected<head_ptr> make_yolov5(const model_info& model, const head_options& options) {
  auto rows = find_output(model, core::element_type::f32, 3);
  if (!rows || rows->shape[2] < 6 || rows->shape[1] < rows->shape[2]) {
    return wrong_outputs(model, "yolov5", "f32[n,anchors,5+classes] (exported with its grid decoded and without NMS)");
  }
  return std::make_shared<yolov5_head>(*std::move(rows), options);
}

} // namespace penstock::inference
