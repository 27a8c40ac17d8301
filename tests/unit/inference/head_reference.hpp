#pragma once

#include <algorithm>
#include <vector>

#include "inference/head.hpp"
#include "kernels/geometry.hpp"
#include "tests/catch.hpp"

/// The last steps of every head once more, written for reading instead of speed, and how results are compared.
namespace penstock::tests {

/// A 640×480 picture letterboxed into 64×64: a tenth of its size, 8 pixels of border above and below.
inline kernels::geometry letterboxed() { return kernels::map(kernels::fit::letterbox, 640, 480, 64, 64); }

inline float reference_iou(const core::box& a, const core::box& b) {
  const auto w = std::max(0.0F, std::min(a.x + a.w, b.x + b.w) - std::max(a.x, b.x));
  const auto h = std::max(0.0F, std::min(a.y + a.h, b.y + b.h) - std::max(a.y, b.y));
  return w * h / (a.w * a.h + b.w * b.h - w * h);
}

/// Raw detections with boxes in the tensor of `letterboxed` to what a head must give.
inline std::vector<core::detection> reference_finish(std::vector<core::detection> raw,
                                                     const inference::head_options& options, bool suppress) {
  std::ranges::stable_sort(raw, std::ranges::greater{}, &core::detection::score);
  std::vector<core::detection> kept;
  for (const auto& d : raw) {
    if (d.score < options.score || kept.size() == options.max_objects) continue;
    const auto covers = [&](const core::detection& k) {
      return (options.class_agnostic || k.class_index == d.class_index) && reference_iou(k.box, d.box) > options.iou;
    };
    if (!suppress || std::ranges::none_of(kept, covers)) kept.push_back(d);
  }
  std::vector<core::detection> inside;
  for (auto d : kept) {
    const auto x1 = std::clamp(d.box.x * 10, 0.0F, 640.0F);
    const auto y1 = std::clamp((d.box.y - 8) * 10, 0.0F, 480.0F);
    const auto x2 = std::clamp((d.box.x + d.box.w) * 10, 0.0F, 640.0F);
    const auto y2 = std::clamp((d.box.y + d.box.h - 8) * 10, 0.0F, 480.0F);
    d.box = {x1, y1, x2 - x1, y2 - y1};
    if (d.box.w > 0 && d.box.h > 0) inside.push_back(d);
  }
  return inside;
}

inline void require_same(const std::vector<core::detection>& found, const std::vector<core::detection>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("object " << i);
    CHECK(found[i].class_index == expected[i].class_index);
    CHECK(found[i].score == Approx(expected[i].score).epsilon(1e-5));
    CHECK(found[i].box.x == Approx(expected[i].box.x).margin(0.01));
    CHECK(found[i].box.y == Approx(expected[i].box.y).margin(0.01));
    CHECK(found[i].box.w == Approx(expected[i].box.w).margin(0.01));
    CHECK(found[i].box.h == Approx(expected[i].box.h).margin(0.01));
  }
}

/// A model with these outputs.
inline inference::model_info model_giving(std::vector<inference::tensor_info> tensors) {
  inference::model_info model;
  model.name = "m.onnx";
  model.outputs = std::move(tensors);
  return model;
}

inline inference::tensor_info f32_output(std::vector<std::int64_t> shape, std::string name = "out") {
  return {std::move(name), core::element_type::f32, std::move(shape)};
}

inline inference::head_ptr require_head(std::string_view name, const inference::model_info& model,
                                        const inference::head_options& options = {}) {
  auto head = inference::make_head(name, model, options);
  INFO((head ? "" : head.error().message));
  REQUIRE(head);
  return *head;
}

/// The objects of an item, which must decode.
inline std::vector<core::detection> decode(const inference::decoder_head& head, const inference::outputs& batch,
                                           std::size_t item, const kernels::geometry& geometry = letterboxed()) {
  std::vector<core::detection> objects{{99, 0.5F, {1, 2, 3, 4}, 7}}; // must not survive
  auto decoded = head.decode(batch, item, geometry, objects);
  INFO((decoded ? "" : decoded.error().message));
  REQUIRE(decoded);
  return objects;
}

} // namespace penstock::tests
