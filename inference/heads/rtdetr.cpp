#include "inference/heads/outputs_of.hpp"
#include "kernels/boxes.hpp"

namespace penstock::inference {
namespace {

/// RT-DETR as its authors export it: `labels`, `boxes` (x1, y1, x2, y2 in pixels of the sizes input, which every engine
/// here gives as the tensor's) and `scores`, one per query. Needs no NMS.
class rtdetr_head final : public decoder_head {
 public:
  rtdetr_head(output_slot labels, output_slot boxes, output_slot scores, const head_options& options)
      : labels_{std::move(labels)}, boxes_{std::move(boxes)}, scores_{std::move(scores)}, options_{options} {}

  std::size_t classes() const noexcept override { return 0; }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    const auto labels = item_of(batch, labels_, item);
    if (!labels) return tl::unexpected{labels.error()};
    const auto boxes = f32_item_of(batch, boxes_, item);
    if (!boxes) return tl::unexpected{boxes.error()};
    const auto scores = f32_item_of(batch, scores_, item);
    if (!scores) return tl::unexpected{scores.error()};
    objects.clear();
    for (std::size_t q = 0; q < scores_.extent(1); ++q) {
      const auto score = (*scores)[q];
      if (!(score >= options_.score)) continue;
      const auto* b = *boxes + 4 * q;
      objects.push_back({label(*labels, q), score, kernels::from_corners(b[0], b[1], b[2], b[3])});
    }
    finish_without_nms(objects, geometry, options_);
    return {};
  }

 private:
  std::int32_t label(const void* labels, std::size_t q) const {
    if (labels_.type == core::element_type::i32) return static_cast<const std::int32_t*>(labels)[q];
    return static_cast<std::int32_t>(static_cast<const std::int64_t*>(labels)[q]);
  }

  output_slot labels_;
  output_slot boxes_;
  output_slot scores_;
  head_options options_;
};

/// RT-DETR as Ultralytics exports it: a row a query, cx, cy, w, h relative to the tensor, then class probabilities.
class rtdetr_rows_head final : public decoder_head {
 public:
  rtdetr_rows_head(output_slot rows, const head_options& options) : rows_{std::move(rows)}, options_{options} {}

  std::size_t classes() const noexcept override { return rows_.extent(2) - 4; }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    const auto rows = f32_item_of(batch, rows_, item);
    if (!rows) return tl::unexpected{rows.error()};
    const auto stride = rows_.extent(2);
    std::vector<kernels::candidate> candidates;
    kernels::best_class_interleaved(*rows + 4, stride, classes(), rows_.extent(1), nullptr, options_.score, candidates);
    const auto width = static_cast<float>(geometry.tensor_width_px);
    const auto height = static_cast<float>(geometry.tensor_height_px);
    objects.clear();
    for (const auto& c : candidates) {
      const auto* row = *rows + c.index * stride;
      objects.push_back({c.class_index, c.score,
                         kernels::from_center(row[0] * width, row[1] * height, row[2] * width, row[3] * height)});
    }
    finish_without_nms(objects, geometry, options_);
    return {};
  }

 private:
  output_slot rows_;
  head_options options_;
};

} // namespace

core::expected<head_ptr> make_rtdetr(const model_info& model, const head_options& options) {
  auto labels = find_output(model, core::element_type::i64, 2);
  if (!labels) labels = find_output(model, core::element_type::i32, 2);
  auto boxes = find_output(model, core::element_type::f32, 3, 4);
  auto scores = find_output(model, core::element_type::f32, 2);
  if (labels && boxes && scores && labels->shape[1] == scores->shape[1] && boxes->shape[1] == scores->shape[1]) {
    return std::make_shared<rtdetr_head>(*std::move(labels), *std::move(boxes), *std::move(scores), options);
  }
  auto rows = find_output(model, core::element_type::f32, 3);
  if (!labels && !scores && rows && rows->shape[2] >= 5) {
    return std::make_shared<rtdetr_rows_head>(*std::move(rows), options);
  }
  return wrong_outputs(model, "rtdetr",
                       "labels i64[n,queries], boxes f32[n,queries,4] and scores f32[n,queries], or one output "
                       "f32[n,queries,4+classes]");
}

} // namespace penstock::inference
