#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "inference/batch_ring.hpp"
#include "kernels/format_shape.hpp"
#include "kernels/preprocess_batch.hpp"
#include "tests/catch.hpp"
#include "tests/unit/inference/checking_device.hpp"
#include "tests/unit/inference/checking_session.hpp"

namespace penstock::tests {

using core::errc;
using core::memory_kind;
using inference::batch_ring;
using kind = checking_model::kind;

/// A frame, and what must come of it: objects or an error.
struct sample {
  core::frame_ptr frame;
  std::vector<core::detection> expected;
  std::optional<errc> error;
};

/// A device, a model on it, and frames for them.
struct rig {
  explicit rig(std::uint64_t s) : seed{s}, random{s}, device{std::make_shared<checking_device>(s)} {
    const auto layout = pick(2) == 0 ? core::tensor_layout::nchw : core::tensor_layout::nhwc;
    const auto type = std::array{core::element_type::f32, core::element_type::f16, core::element_type::u8}[pick(3)];
    model.what = std::array{kind::objects, kind::classes, kind::plain}[pick(3)];
    model.half = pick(2) == 0;
    config.spec.width_px = 8 + static_cast<int>(pick(24));
    config.spec.height_px = 8 + static_cast<int>(pick(24));
    config.spec.layout = layout;
    config.spec.type = type;
    if (type == core::element_type::u8) config.spec.scale = {1, 1, 1};
    model.input = {0, layout, type, 3, config.spec.width_px, config.spec.height_px};
    config.batch = 1 + pick(4);
    config.lanes = 1 + pick(4);
    model.fixed_batch = pick(2) == 0 ? 0 : static_cast<std::int64_t>(config.batch + pick(2));
    config.staging_bytes = pick(2) * 4096 * pick(40);
    config.input = model.input;
    config.device = device;
    make_session();
  }

  /// After changes of `model`.
  void make_session() {
    session = std::make_shared<checking_session>(device, model);
    config.session = session;
    config.head = model.head();
  }

  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random() % n); }

  [[nodiscard]] std::unique_ptr<batch_ring> make() const {
    auto ring = batch_ring::make(config);
    INFO((ring ? "" : ring.error().message));
    REQUIRE(ring);
    return *std::move(ring);
  }

  sample make_sample(memory_kind where) {
    sample s;
    auto f = std::make_shared<core::frame>();
    auto& view = f->view;
    view.width_px = 1 + static_cast<int>(pick(70));
    view.height_px = 1 + static_cast<int>(pick(50));
    view.format = static_cast<core::pixel_format>(pick(8));
    view.matrix = static_cast<core::color_matrix>(pick(2));
    view.range = static_cast<core::color_range>(pick(2));
    const auto shape = kernels::shape_of(view.format);
    // even, so that pairs of chroma stay aligned as decoders align them
    const auto padding = 2 * pick(40);
    const auto upside_down = where == memory_kind::host && pick(4) == 0;
    std::array<std::size_t, 3> at{};
    std::size_t bytes = 0;
    for (std::size_t p = 0; p < shape.planes; ++p) {
      const auto rows = static_cast<std::size_t>(shape.height(view.height_px, p));
      auto stride = static_cast<std::size_t>(shape.row_bytes(view.width_px, p)) + padding;
      if (pick(3) == 0) stride = (stride + 255) / 256 * 256;
      bytes = (bytes + 255) / 256 * 256;
      at[p] = bytes + (upside_down ? (rows - 1) * stride : 0);
      view.strides_bytes[p] = static_cast<std::ptrdiff_t>(stride) * (upside_down ? -1 : 1);
      bytes += rows * stride;
    }
    std::vector<std::byte> pixels(bytes);
    for (auto& b : pixels) b = static_cast<std::byte>(random());
    const auto place = [&](std::byte* memory, memory_kind which) {
      for (std::size_t p = 0; p < shape.planes; ++p)
        view.planes[p] = reinterpret_cast<const std::uint8_t*>(memory + at[p]);
      view.memory = which;
    };
    place(pixels.data(), memory_kind::host);
    s.expected = expect(view);
    if (where == memory_kind::device) {
      auto memory = device->allocate(bytes, memory_kind::device);
      REQUIRE(memory);
      place(memory->data(), memory_kind::device);
      device->write_by_default_stream(memory->data(), std::move(pixels));
      f->owner = std::make_shared<kernels::buffer>(*memory);
    } else {
      auto memory = std::make_shared<std::vector<std::byte>>(std::move(pixels));
      place(memory->data(), memory_kind::host);
      f->owner = memory;
    }
    s.frame = f;
    return s;
  }

  sample make_broken_sample() {
    auto s = make_sample(memory_kind::host);
    auto broken = *s.frame;
    if (pick(2) == 0) {
      broken.view.planes[0] = nullptr;
    } else {
      broken.view.width_px = 0;
    }
    return {std::make_shared<core::frame>(broken), {}, errc::invalid_argument};
  }

  /// 1 to `batch` frames of both kinds of memory, and now and then a broken one.
  std::vector<sample> make_batch() {
    std::vector<sample> all;
    const auto n = 1 + pick(config.batch);
    for (std::size_t i = 0; i < n; ++i) {
      all.push_back(pick(12) == 0 ? make_broken_sample()
                                  : make_sample(pick(2) == 0 ? memory_kind::host : memory_kind::device));
    }
    return all;
  }

  /// The plain way: the kernel's twin into one slot, the model's numbers, the head.
  [[nodiscard]] std::vector<core::detection> expect(const core::frame_view& view) const {
    const auto shape = model.input.shape(1);
    core::tensor_view slot{nullptr, model.input.type, shape, memory_kind::host};
    std::vector<std::byte> image(slot.size_bytes());
    slot.data = image.data();
    auto ok = kernels::cpu::preprocess({config.spec, {&view, 1}, slot, 0});
    INFO((ok ? "" : ok.error().message));
    REQUIRE(ok);
    return model.expected(image, kernels::map(config.spec, view.width_px, view.height_px));
  }

  void check_clean() const {
    const auto problems = device->problems();
    INFO("seed " << seed << ": " << (problems.empty() ? "" : problems.front()));
    CHECK(problems.empty());
  }

  std::uint64_t seed;
  std::mt19937_64 random;
  std::shared_ptr<checking_device> device;
  checking_model model;
  std::shared_ptr<checking_session> session;
  inference::batch_ring_config config;
};

inline std::vector<core::frame_ptr> frames_of(const std::vector<sample>& batch) {
  std::vector<core::frame_ptr> frames;
  for (const auto& s : batch) frames.push_back(s.frame);
  return frames;
}

inline void check_result(const core::expected<inference::batch_result>& result, const std::vector<sample>& batch) {
  INFO((result ? "" : result.error().message));
  REQUIRE(result);
  REQUIRE(result->items.size() == batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& item = result->items[i];
    INFO("item " << i << (item.objects ? "" : ": " + item.objects.error().message));
    REQUIRE(item.objects.has_value() == !batch[i].error);
    if (batch[i].error) {
      CHECK(item.objects.error().code == *batch[i].error);
    } else {
      CHECK(*item.objects == batch[i].expected);
    }
  }
}

/// A batch under way, as a user of the ring sees it. Its frames are the ring's alone.
struct under_way {
  std::vector<sample> batch;
  std::shared_ptr<int> done = std::make_shared<int>(0); ///< how often the ring has said so
};

/// Starts the batch, and forgets the frames.
inline core::expected<void> start(batch_ring& ring, std::size_t lane, under_way& u) {
  auto frames = frames_of(u.batch);
  for (auto& s : u.batch) s.frame.reset();
  return ring.start(lane, std::move(frames), [done = u.done] { ++*done; });
}

/// One batch there and back.
inline void check_round(rig& r, batch_ring& ring, std::size_t lane) {
  under_way u{r.make_batch()};
  auto ok = start(ring, lane, u);
  INFO((ok ? "" : ok.error().message));
  REQUIRE(ok);
  check_result(ring.collect(lane), u.batch);
  CHECK(*u.done == 1);
}

} // namespace penstock::tests
