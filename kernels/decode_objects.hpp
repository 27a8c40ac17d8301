#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/detection.hpp"
#include "core/error.hpp"
#include "core/tensor.hpp"
#include "kernels/geometry.hpp"

namespace penstock::kernels {

/// Where the numbers of a model's anchors lie in one of its outputs: number k of anchor a of item i is at
/// data[i * item_stride + first + a * anchor_stride + k * stride], in elements (f32 or f16; labels i32 or i64).
struct strided {
  std::size_t output = 0; ///< which of the model's outputs
  std::size_t first = 0;
  std::size_t anchor_stride = 1;
  std::size_t stride = 1;

  bool operator==(const strided&) const = default;
};

/// What an anchor's four box numbers mean.
enum class box_coding : std::uint8_t {
  center,     ///< cx, cy, w, h
  corners,    ///< x1, y1, x2, y2
  fastestdet, ///< of a grid: tanh offsets of the centre from the cell, sigmoid sizes relative to the tensor
};

/// What makes an anchor's score.
enum class score_rule : std::uint8_t {
  best_class,       ///< the best class, times objectness where given
  weighted_product, ///< objectness^0.6 · class^0.4 (FastestDet)
};

/// How the outputs of a detector become objects: all that YOLOv5/7/8/11, SSD, FastestDet and RT-DETR differ in, so that
/// one kernel does them all. A head describes itself by this.
struct object_spec {
  std::size_t anchors = 0;
  std::size_t classes = 0; ///< score planes read; of `labels` form none
  strided scores;          ///< class scores; with `labels` the score itself
  std::optional<strided> objectness{};
  std::optional<strided> labels{}; ///< the class is given (i32, i64), not searched for
  strided boxes;
  box_coding coding = box_coding::center;
  score_rule rule = score_rule::best_class;
  bool relative = false;        ///< box numbers are relative to the tensor, not in its pixels
  std::size_t columns = 0;      ///< of the grid, for `fastestdet`
  std::int32_t first_class = 0; ///< class of the first score (SSD: 1, class 0 being the background)
  float score = 0.25F;          ///< least score
  bool suppress = true;         ///< whether overlapping objects are removed
  float iou = 0.45F;
  bool class_agnostic = false;
  std::size_t max_candidates = 30'000; ///< only so many of the best are suppressed among
  std::size_t max_objects = 300;

  bool operator==(const object_spec&) const = default;
};

/// A classifier's: the best `top_k` classes of [n, classes], softmax where they are not probabilities already.
struct class_spec {
  std::size_t output = 0;
  std::size_t classes = 0;
  float score = 0;
  std::size_t top_k = 5;

  bool operator==(const class_spec&) const = default;
};

/// An object as it travels from the device: like `core::detection`, without a track.
struct device_object {
  float x = 0;
  float y = 0;
  float w = 0;
  float h = 0;
  float score = 0;
  std::int32_t class_index = 0;
};

/// The objects of a batch, at most `max_objects` an item, best first: `counts[i]` of `objects[i * max_objects …]`.
struct object_table {
  std::uint32_t* counts = nullptr;
  device_object* objects = nullptr;
  std::size_t items = 0;
  std::size_t max_objects = 0;
};

/// Outputs of a batch into objects in source pixels, inside their frames: threshold and compaction, box decoding,
/// class-aware greedy NMS in the order of `kernels::nms` (equal scores: lower anchor first), clipping. Outputs, table
/// and workspace lie in the device's memory; f16 and f32 outputs. Exactly one of `objects` and `classes` is set.
struct decode_batch {
  const object_spec* objects = nullptr;
  const class_spec* classes = nullptr;
  std::span<const core::const_tensor_view> outputs;
  std::span<const geometry> geometries; ///< one an item
  object_table table;
  std::span<std::byte> workspace; ///< at least `workspace_bytes`, aligned to 256 bytes
};

/// Bytes of workspace for batches of `items`.
[[nodiscard]] std::size_t workspace_bytes(const object_spec& spec, std::size_t items) noexcept;
[[nodiscard]] std::size_t workspace_bytes(const class_spec& spec, std::size_t items) noexcept;

/// invalid_argument where the job's parts do not fit each other; the workspace is not looked at.
[[nodiscard]] core::expected<void> check(const decode_batch& job);

namespace cpu {

/// The twin on the CPU, done when it returns. Needs no workspace.
[[nodiscard]] core::expected<void> decode(const decode_batch& job);

/// One item of a batch, on the CPU, into detections: what heads use where outputs lie in host memory. `outputs` as in
/// `decode_batch`, but f32. invalid_argument where they do not fit the spec.
[[nodiscard]] core::expected<void> decode_item(const object_spec& spec,
                                               std::span<const core::const_tensor_view> outputs, std::size_t item,
                                               const geometry& geometry, std::vector<core::detection>& objects);
[[nodiscard]] core::expected<void> decode_item(const class_spec& spec, std::span<const core::const_tensor_view> outputs,
                                               std::size_t item, const geometry& geometry,
                                               std::vector<core::detection>& objects);

} // namespace cpu
} // namespace penstock::kernels
