#include <cmath>

#include "inference/heads/outputs_of.hpp"
#include "kernels/boxes.hpp"

namespace penstock::inference {
namespace {

/// FastestDet (github.com/dog-qiuqiu/FastestDet): one object a grid cell. Channels: objectness, centre offsets (before
/// tanh, in cells), size (before sigmoid, of the image), class probabilities; score = objectness^0.6 · class^0.4.
class fastestdet_head final : public decoder_head {
 public:
  fastestdet_head(output_slot grid, const head_options& options)
      : grid_{std::move(grid)}, options_{options}, least_class_{std::pow(options.score, 1 / class_weight)} {}

  std::size_t classes() const noexcept override { return grid_.extent(1) - 5; }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    const auto grid = f32_item_of(batch, grid_, item);
    if (!grid) return tl::unexpected{grid.error()};
    const auto columns = grid_.extent(3);
    const auto cells = grid_.extent(2) * columns;
    // Objectness is at most 1, so a weaker class cannot reach the score; only the others cost a power.
    std::vector<kernels::candidate> candidates;
    kernels::best_class_planar(*grid + 5 * cells, cells, classes(), cells, nullptr, least_class_, candidates);
    const auto width = static_cast<float>(geometry.tensor_width_px);
    const auto height = static_cast<float>(geometry.tensor_height_px);
    const auto cell_width = width / static_cast<float>(columns);
    const auto cell_height = height / static_cast<float>(grid_.extent(2));
    objects.clear();
    for (const auto& c : candidates) {
      const auto* at = *grid + c.index;
      const auto score = std::pow(at[0], 1 - class_weight) * std::pow(c.score, class_weight);
      if (!(score >= options_.score)) continue;
      const auto cx = (static_cast<float>(c.index % columns) + std::tanh(at[cells])) * cell_width;
      const auto cy = (static_cast<float>(c.index / columns) + std::tanh(at[2 * cells])) * cell_height;
      objects.push_back(
          {c.class_index, score,
           kernels::from_center(cx, cy, sigmoid(at[3 * cells]) * width, sigmoid(at[4 * cells]) * height)});
    }
    finish_with_nms(objects, geometry, options_);
    return {};
  }

 private:
  static constexpr float class_weight = 0.4F;

  static float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

  output_slot grid_;
  head_options options_;
  float least_class_;
};

} // namespace

core::expected<head_ptr> make_fastestdet(const model_info& model, const head_options& options) {
  auto grid = find_output(model, core::element_type::f32, 4);
  if (!grid || grid->shape[1] < 6) {
    return wrong_outputs(model, "fastestdet", "f32[n,5+classes,rows,columns]");
  }
  return std::make_shared<fastestdet_head>(*std::move(grid), options);
}

} // namespace penstock::inference
