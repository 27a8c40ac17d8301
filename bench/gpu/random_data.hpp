#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "bench/gpu/timing.hpp"
#include "core/frame.hpp"
#include "kernels/decode_objects.hpp"

namespace penstock::bench {

/// Bytes without any order.
void fill_random(std::span<std::byte> bytes, std::mt19937_64& random);

/// Device memory (or pinned memory) with such bytes.
[[nodiscard]] kernels::buffer random_buffer(const bench_device& on, std::size_t bytes, core::memory_kind kind,
                                            std::mt19937_64& random);

/// Bytes of an NV12 picture without padding; of an even size.
[[nodiscard]] constexpr std::size_t nv12_bytes(int width_px, int height_px) noexcept {
  return static_cast<std::size_t>(width_px) * static_cast<std::size_t>(height_px) * 3 / 2;
}

/// The picture at `data`.
[[nodiscard]] core::frame_view nv12_view(const std::byte* data, int width_px, int height_px, core::memory_kind memory);

/// Outputs of a YOLOv8-like model, [items, 4 + classes, anchors]: background scores below 0.2, `candidates` anchors an
/// item from 0.25 to 1 (at most all of them), ten around each object, boxes anywhere in a picture of `side_px`.
[[nodiscard]] std::vector<float> random_outputs(std::size_t items, std::size_t anchors, std::size_t classes,
                                                std::size_t candidates, float side_px, std::mt19937_64& random);

/// How such outputs are read, and what counts as an object by default.
[[nodiscard]] kernels::object_spec yolov8_layout(std::size_t anchors, std::size_t classes);

} // namespace penstock::bench
