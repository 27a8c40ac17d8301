#include "bench/gpu/random_data.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace penstock::bench {

void fill_random(std::span<std::byte> bytes, std::mt19937_64& random) {
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    const auto word = random();
    std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, bytes.size() - i));
  }
}

kernels::buffer random_buffer(const bench_device& on, std::size_t bytes, core::memory_kind kind,
                              std::mt19937_64& random) {
  auto host = on.pinned(bytes);
  fill_random(host.span(), random);
  if (kind == core::memory_kind::host) return host;
  auto memory = on.memory(bytes);
  on.copy(memory.data(), host.data(), bytes);
  return memory;
}

core::frame_view nv12_view(const std::byte* data, int width_px, int height_px, core::memory_kind memory) {
  const auto* y = reinterpret_cast<const std::uint8_t*>(data);
  const auto* uv = y + static_cast<std::ptrdiff_t>(width_px) * height_px;
  return {width_px,
          height_px,
          core::pixel_format::nv12,
          core::color_matrix::bt709,
          core::color_range::limited,
          {y, uv, nullptr},
          {width_px, width_px, 0},
          memory};
}

std::vector<float> random_outputs(std::size_t items, std::size_t anchors, std::size_t classes, std::size_t candidates,
                                  float side_px, std::mt19937_64& random) {
  constexpr std::size_t around_each = 10;
  const auto uniform = [&](float from, float to) {
    return from + (to - from) * static_cast<float>(random() >> 40U) / static_cast<float>(1U << 24U);
  };
  std::vector<float> all(items * (4 + classes) * anchors);
  std::vector<std::size_t> chosen(anchors);
  for (std::size_t item = 0; item < items; ++item) {
    auto* planes = all.data() + item * (4 + classes) * anchors;
    for (std::size_t k = 0; k < 4; ++k)
      for (std::size_t a = 0; a < anchors; ++a)
        planes[k * anchors + a] = k < 2 ? uniform(0, side_px) : uniform(4, side_px / 4);
    for (std::size_t i = 4 * anchors; i < (4 + classes) * anchors; ++i) planes[i] = uniform(0, 0.2F);

    std::iota(chosen.begin(), chosen.end(), std::size_t{0});
    std::shuffle(chosen.begin(), chosen.end(), random);
    for (std::size_t i = 0; i < std::min(candidates, anchors); ++i) {
      const auto leader = chosen[i - i % around_each]; // the others lie around it, of its class
      const auto a = chosen[i];
      const auto class_index = leader % classes;
      planes[(4 + class_index) * anchors + a] = uniform(0.26F, 1);
      if (a == leader) continue;
      for (std::size_t k = 0; k < 4; ++k) planes[k * anchors + a] = planes[k * anchors + leader] + uniform(-4, 4);
    }
  }
  return all;
}

kernels::object_spec yolov8_layout(std::size_t anchors, std::size_t classes) {
  kernels::object_spec spec;
  spec.anchors = anchors;
  spec.classes = classes;
  spec.scores = {.output = 0, .first = 4 * anchors, .anchor_stride = 1, .stride = anchors};
  spec.boxes = {.output = 0, .first = 0, .anchor_stride = 1, .stride = anchors};
  return spec;
}

} // namespace penstock::bench
