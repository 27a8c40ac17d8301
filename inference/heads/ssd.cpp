#include "inference/heads/outputs_of.hpp"
#include "kernels/boxes.hpp"

namespace penstock::inference {
namespace {

/// SSD-like: class probabilities with background as class 0, and decoded boxes x1, y1, x2, y2 relative to the tensor.
/// An object keeps the model's class number, so the first label is the background's.
class ssd_head final : public decoder_head {
 public:
  ssd_head(output_slot scores, output_slot boxes, const head_options& options)
      : scores_{std::move(scores)}, boxes_{std::move(boxes)}, options_{options} {}

  std::size_t classes() const noexcept override { return scores_.extent(2); }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    const auto scores = f32_item_of(batch, scores_, item);
    if (!scores) return tl::unexpected{scores.error()};
    const auto boxes = f32_item_of(batch, boxes_, item);
    if (!boxes) return tl::unexpected{boxes.error()};
    std::vector<kernels::candidate> candidates;
    kernels::best_class_interleaved(*scores + 1, classes(), classes() - 1, scores_.extent(1), nullptr, options_.score,
                                    candidates);
    const auto width = static_cast<float>(geometry.tensor_width_px);
    const auto height = static_cast<float>(geometry.tensor_height_px);
    objects.clear();
    for (const auto& c : candidates) {
      const auto* b = *boxes + std::size_t{4} * c.index;
      objects.push_back({c.class_index + 1, c.score,
                         kernels::from_corners(b[0] * width, b[1] * height, b[2] * width, b[3] * height)});
    }
    finish_with_nms(objects, geometry, options_);
    return {};
  }

 private:
  output_slot scores_;
  output_slot boxes_;
  head_options options_;
};

} // namespace

core::expected<head_ptr> make_ssd(const model_info& model, const head_options& options) {
  auto scores = find_output(model, "scores", core::element_type::f32, 3);
  auto boxes = find_output(model, "boxes", core::element_type::f32, 3);
  if (!scores || !boxes || boxes->shape[2] != 4 || scores->shape[2] < 2 || scores->shape[1] != boxes->shape[1]) {
    return wrong_outputs(model, "ssd",
                         "`scores` f32[n,anchors,classes] (class 0 the background) and `boxes` f32[n,anchors,4]");
  }
  return std::make_shared<ssd_head>(*std::move(scores), *std::move(boxes), options);
}

} // namespace penstock::inference
