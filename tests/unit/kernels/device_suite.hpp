#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <future>
#include <random>
#include <string_view>
#include <vector>

#include "kernels/device.hpp"
#include "kernels/format_shape.hpp"
#include "tests/unit/kernels/preprocess_table.hpp"

/// What every device must do, whether it is the CPU or a GPU.
namespace device_suite {

using namespace preprocess_table;
using kernels::device;

/// Memory of a device with what a test put there.
inline kernels::buffer upload(device& on, kernels::stream& stream, const std::byte* data, std::size_t bytes) {
  auto pinned = on.allocate(bytes, core::memory_kind::host).value();
  std::memcpy(pinned.data(), data, bytes);
  auto memory = on.allocate(bytes, core::memory_kind::device).value();
  REQUIRE(on.copy(stream, memory.data(), pinned.data(), bytes));
  REQUIRE(on.synchronize(stream));
  return memory;
}

inline std::vector<std::byte> download(device& on, kernels::stream& stream, const kernels::buffer& memory) {
  auto pinned = on.allocate(memory.size_bytes(), core::memory_kind::host).value();
  REQUIRE(on.copy(stream, pinned.data(), memory.data(), memory.size_bytes()));
  REQUIRE(on.synchronize(stream));
  return {pinned.data(), pinned.data() + memory.size_bytes()};
}

/// A picture in a device's memory.
struct device_picture {
  core::frame_view view;
  std::vector<kernels::buffer> planes;

  device_picture(device& on, kernels::stream& stream, const core::frame_view& frame) : view{frame} {
    const auto shape = kernels::shape_of(frame.format);
    for (std::size_t p = 0; p < shape.planes; ++p) {
      const auto rows = static_cast<std::size_t>(shape.height(frame.height_px, p) - 1);
      const auto bytes = rows * static_cast<std::size_t>(frame.strides_bytes[p]) +
                         static_cast<std::size_t>(shape.row_bytes(frame.width_px, p));
      planes.push_back(upload(on, stream, reinterpret_cast<const std::byte*>(frame.planes[p]), bytes));
      view.planes[p] = reinterpret_cast<const std::uint8_t*>(planes.back().data());
    }
    view.memory = on.info().memory;
  }

  [[nodiscard]] kernels::picture target() const {
    kernels::picture p{view.width_px, view.height_px, view.format, view.matrix, view.range, {}, view.strides_bytes};
    for (std::size_t i = 0; i < planes.size(); ++i) p.planes[i] = reinterpret_cast<std::uint8_t*>(planes[i].data());
    return p;
  }
};

/// Preprocesses frames into the slots from `first` on, on the device.
inline std::vector<float> preprocess(device& on, const preprocess_spec& spec,
                                     const std::vector<core::frame_view>& frames, std::size_t first = 0) {
  const auto stream = on.make_stream().value();
  slot slots{spec, static_cast<std::int64_t>(first + frames.size())};
  const auto memory = upload(on, *stream, slots.bytes.data(), slots.bytes.size());
  std::vector<device_picture> pictures;
  std::vector<core::frame_view> views;
  for (const auto& frame : frames) views.push_back(pictures.emplace_back(on, *stream, frame).view);
  const core::tensor_view view{memory.data(), spec.type, slots.shape, on.info().memory};
  REQUIRE(on.preprocess(*stream, {spec, views, view, first}));
  slots.bytes = download(on, *stream, memory);
  return slots.values();
}

/// `levels`: how far, in levels of 255, values may be from the reference before they become elements.
inline void check_preprocess(device& on, const preprocess_spec& spec, const core::frame_view& frame, double levels) {
  double scale = 0;
  for (const auto s : spec.scale) scale = std::max(scale, std::abs(static_cast<double>(s)));
  const auto actual = preprocess(on, spec, {frame});
  const auto expected = run_reference(spec, frame);
  REQUIRE(actual.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double wanted = expected[i];
    const double slack = spec.type == element_type::f16   ? 2e-3 * std::max(1.0, std::abs(wanted))
                         : spec.type == element_type::f32 ? 0
                                                          : 1; // ties
    const double off = std::abs(actual[i] - wanted) - slack;
    worst = std::isnan(off) ? 1e9 : std::max(worst, off);
  }
  CHECK(worst <= levels * std::max(scale, levels < 0.01 ? 1.0 : 0.0));
}

inline void preprocess_agrees_with_reference(device& on, double levels) {
  // whole numbers of strips of several blocks, rows alone between samples, and neither
  for (const auto& [w, h] : {std::pair{1920, 40}, {3840, 8}, {1281, 37}}) {
    for (const auto format : {pixel_format::nv12, pixel_format::i420}) {
      const auto picture = make_noise(w, h, format, 2, 21);
      for (const auto how : {kernels::fit::letterbox, kernels::fit::stretch, kernels::fit::crop}) {
        for (const auto& [tw, th] : {std::pair{640, 40}, {1280, 20}, {40, 130}}) {
          preprocess_spec spec;
          spec.width_px = tw;
          spec.height_px = th;
          spec.fit = how;
          spec.type = how == kernels::fit::crop ? element_type::f16 : element_type::f32;
          INFO(w << "x" << h << " to " << tw << "x" << th << " format " << static_cast<int>(format) << " fit "
                 << static_cast<int>(how));
          check_preprocess(on, spec, picture.view, levels);
        }
      }
    }
  }
  for_each_geometry([&](preprocess_spec spec, const core::frame_view& frame) {
    spec.scale = {1, 1, 1};
    check_preprocess(on, spec, frame, levels);
  });
  for_each_conversion(
      [&](const preprocess_spec& spec, const core::frame_view& frame) { check_preprocess(on, spec, frame, levels); });
}

/// Frames of all sizes and formats in one job, more than one launch takes, beside slots that are not theirs.
inline void preprocess_takes_mixed_batches(device& on) {
  std::vector<noise_picture> pictures;
  std::vector<core::frame_view> frames;
  for (std::uint32_t i = 0; i < 70; ++i) {
    const auto& size = size_table[i % size_table.size()];
    const auto format = all_formats[i % all_formats.size()];
    pictures.push_back(make_noise(size.width, size.height, format, i % 4 == 0 ? 6 : 0, i + 1));
    frames.push_back(pictures.back().view);
  }
  for (const auto& [layout, width] : {std::pair{core::tensor_layout::nchw, 66},
                                      {core::tensor_layout::nhwc, 66},
                                      {core::tensor_layout::nchw, 68},
                                      {core::tensor_layout::nhwc, 68}}) {
    for (const auto filter : {kernels::filter::bilinear, kernels::filter::area}) {
      preprocess_spec spec;
      spec.width_px = width; // more than a tile; a multiple of 4 is sampled in strips where it can be
      spec.height_px = 35;
      spec.filter = filter;
      spec.layout = layout;
      spec.type = element_type::f16;
      const auto all = preprocess(on, spec, frames, 2);
      const auto n = static_cast<std::size_t>(3 * spec.width_px * spec.height_px);
      REQUIRE(all.size() == n * (frames.size() + 2));
      // the pattern that fills slots is not a number
      CHECK(std::all_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(2 * n),
                        [](float v) { return std::isnan(v); }));
      for (std::size_t i = 0; i < frames.size(); ++i) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>((i + 2) * n);
        const auto alone = preprocess(on, spec, {frames[i]});
        INFO("frame " << i);
        CHECK(std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(n)) == alone);
      }
    }
  }
}

inline void preprocess_refuses_what_does_not_fit(device& on) {
  const auto stream = on.make_stream().value();
  const auto picture = make_noise(40, 30, pixel_format::nv12, 0, 3);
  preprocess_spec spec;
  spec.width_px = 32;
  spec.height_px = 32;
  slot slots{spec, 2};
  const auto memory = upload(on, *stream, slots.bytes.data(), slots.bytes.size());
  const device_picture good{on, *stream, picture.view};
  const core::tensor_view view{memory.data(), spec.type, slots.shape, on.info().memory};
  const auto refused = [&](const core::frame_view& frame, core::tensor_view to, std::size_t first) {
    const std::vector frames{good.view, frame};
    const auto done = on.preprocess(*stream, {spec, frames, to, first});
    return !done && done.error().code == core::errc::invalid_argument && download(on, *stream, memory) == slots.bytes;
  };
  CHECK(refused(good.view, view, 1));
  CHECK(refused(good.view, view, 3));
  auto frame = good.view;
  frame.width_px = 0;
  CHECK(refused(frame, view, 0));
  frame = good.view;
  frame.planes[1] = nullptr;
  CHECK(refused(frame, view, 0));
  frame = good.view;
  frame.strides_bytes[1] = 39;
  CHECK(refused(frame, view, 0));
  frame = good.view;
  frame.memory = on.info().memory == core::memory_kind::host ? core::memory_kind::device : core::memory_kind::host;
  CHECK(refused(frame, view, 0));
  auto to = view;
  to.type = element_type::f16;
  CHECK(refused(good.view, to, 0));
  to = view;
  to.data = nullptr;
  CHECK(refused(good.view, to, 0));
  to = view;
  to.shape = std::span{slots.shape}.subspan(1);
  CHECK(refused(good.view, to, 0));
  CHECK(on.preprocess(*stream, {spec, {}, view, 2})); // nothing to do
  REQUIRE(on.synchronize(*stream));
  CHECK(download(on, *stream, memory) == slots.bytes);
}

inline void decode_refuses_outputs_elsewhere(device& on) {
  const auto stream = on.make_stream().value();
  const kernels::class_spec spec{0, 4, 0, 2};
  const std::array<std::int64_t, 2> shape{1, 4};
  const std::array geometries{kernels::map(kernels::fit::letterbox, 40, 30, 32, 32)};
  const std::vector<std::byte> zeros(256);
  const auto outputs = upload(on, *stream, zeros.data(), zeros.size());
  const auto counts = upload(on, *stream, zeros.data(), zeros.size());
  const auto objects = upload(on, *stream, zeros.data(), zeros.size());
  const auto workspace = upload(on, *stream, zeros.data(), zeros.size());
  core::const_tensor_view view{outputs.data(), element_type::f32, shape, on.info().memory};
  kernels::decode_batch job;
  job.classes = &spec;
  job.outputs = {&view, 1};
  job.geometries = geometries;
  job.table = {reinterpret_cast<std::uint32_t*>(counts.data()),
               reinterpret_cast<kernels::device_object*>(objects.data()), 1, 2};
  job.workspace = workspace.span();
  CHECK(on.decode(*stream, job));
  REQUIRE(on.synchronize(*stream));
  view.memory = view.memory == core::memory_kind::host ? core::memory_kind::device : core::memory_kind::host;
  const auto refused = on.decode(*stream, job);
  REQUIRE(!refused);
  CHECK(refused.error().code == core::errc::invalid_argument);
}

inline kernels::label_text label(std::string_view text) {
  kernels::label_text made;
  text.copy(made.text.data(), made.text.size());
  return made;
}

/// Boxes in and outside of a picture, and what is no box.
inline std::vector<kernels::device_object> boxes_of(int width, int height, std::size_t n) {
  std::mt19937 random{7};
  const auto number = [&](float low, float high) { return std::uniform_real_distribution<float>{low, high}(random); };
  const auto w = static_cast<float>(width);
  const auto h = static_cast<float>(height);
  std::vector<kernels::device_object> objects;
  for (std::size_t i = 0; i < n; ++i)
    objects.push_back({number(-0.3F * w, w), number(-0.3F * h, h), number(0, 0.7F * w), number(0, 0.7F * h), 0.5F,
                       static_cast<std::int32_t>(i)});
  objects.push_back({-1e9F, -1e9F, 3e9F, 3e9F, 1, 3});
  objects.push_back({std::nanf(""), 2, 3, 4, 1, 3});
  objects.push_back({2, 2, -5, 4, 1, -3});
  return objects;
}

/// A device draws what the CPU draws, to the byte.
inline void annotates_as_cpu(device& on) {
  const auto stream = on.make_stream().value();
  for (const auto format : {pixel_format::nv12, pixel_format::i420}) {
    for (const auto& [w, h] : {std::pair{1, 1}, {2, 3}, {33, 17}, {319, 241}}) {
      for (const std::size_t n : {0U, 3U, 400U}) {
        auto cpu = make_noise(w, h, format, 6, 11);
        cpu.view.range = n == 3 ? core::color_range::full : core::color_range::limited;
        const device_picture picture{on, *stream, cpu.view};
        const auto objects = boxes_of(w, h, n);
        std::vector<kernels::label_text> labels;
        for (std::size_t i = 0; i < objects.size(); ++i)
          labels.push_back(label(i % 5 == 4 ? "" : i % 5 == 3 ? "a\x01\xe4z" : "person #12 87%"));
        kernels::annotate_job job{picture.target(), objects, labels, 3, n == 3 ? 2 : 1};
        REQUIRE(on.annotate(*stream, job));
        REQUIRE(on.synchronize(*stream));
        for (std::size_t p = 0; p < cpu.memory.size(); ++p) job.target.planes[p] = cpu.memory[p].data();
        REQUIRE(kernels::cpu::annotate(job));
        for (std::size_t p = 0; p < cpu.memory.size(); ++p) {
          const auto bytes = download(on, *stream, picture.planes[p]);
          INFO(w << "x" << h << " format " << static_cast<int>(format) << " objects " << n << " plane " << p);
          CHECK(std::memcmp(bytes.data(), cpu.memory[p].data(), bytes.size()) == 0);
        }
      }
    }
  }
}

/// Y, U, V are the CPU's but for ties.
inline void makes_jpeg_planes_as_cpu(device& on) {
  const auto stream = on.make_stream().value();
  for (const auto format : all_formats) {
    for (const auto& [w, h, tw, th] : {std::array{1, 1, 1, 1}, {33, 17, 33, 17}, {64, 48, 31, 99}, {130, 70, 64, 36}}) {
      auto source = make_noise(w, h, format, 6, 5);
      source.view.matrix = core::color_matrix::bt709;
      auto cpu = make_noise(tw, th, pixel_format::i420, 3, 6);
      const device_picture from{on, *stream, source.view};
      const device_picture to{on, *stream, cpu.view};
      REQUIRE(on.to_jpeg_planes(*stream, {from.view, to.target()}));
      REQUIRE(on.synchronize(*stream));
      auto target = to.target();
      for (std::size_t p = 0; p < 3; ++p) target.planes[p] = cpu.memory[p].data();
      REQUIRE(kernels::cpu::to_jpeg_planes({source.view, target}));
      for (std::size_t p = 0; p < 3; ++p) {
        const auto bytes = download(on, *stream, to.planes[p]);
        int worst = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i)
          worst = std::max(worst, std::abs(std::to_integer<int>(bytes[i]) - cpu.memory[p][i]));
        INFO(w << "x" << h << " to " << tw << "x" << th << " format " << static_cast<int>(format) << " plane " << p);
        CHECK(worst <= 1);
      }
    }
  }
}

/// Copies, events and callbacks keep the order of their streams.
inline void keeps_order(device& on) {
  const auto first = on.make_stream().value();
  const auto second = on.make_stream().value();
  const auto begin = on.make_event().value();
  const auto end = on.make_event().value();
  constexpr std::size_t bytes = 1 << 20;
  auto in = on.allocate(bytes, core::memory_kind::host).value();
  auto out = on.allocate(bytes, core::memory_kind::host).value();
  auto memory = on.allocate(bytes, core::memory_kind::device).value();
  CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % 256 == 0);
  for (int round = 1; round < 20; ++round) {
    std::memset(in.data(), round, bytes);
    REQUIRE(on.record(*begin, *first));
    REQUIRE(on.copy(*first, memory.data(), in.data(), bytes));
    REQUIRE(on.record(*end, *first));
    REQUIRE(on.wait(*second, *end));
    REQUIRE(on.wait_for_default_stream(*second));
    REQUIRE(on.copy(*second, out.data(), memory.data(), bytes));
    std::promise<bool> right;
    const auto caller = std::this_thread::get_id();
    REQUIRE(on.notify(*second, [&] {
      right.set_value(std::this_thread::get_id() != caller && out.data()[0] == std::byte(round) &&
                      out.data()[bytes - 1] == std::byte(round));
    }));
    CHECK(right.get_future().get());
    CHECK(on.elapsed(*begin, *end).value().count() >= 0);
  }
  // all are called, in order
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) REQUIRE(on.notify(*first, [&order, i] { order.push_back(i); }));
  std::promise<void> last;
  REQUIRE(on.notify(*first, [&] { last.set_value(); }));
  last.get_future().wait();
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(on.free_bytes().value() > 0);
  CHECK(on.info().memory_bytes > 0);
}

inline void refuses_more_memory_than_there_is(device& on) {
  const auto none = on.allocate(std::size_t{1} << 60, core::memory_kind::device);
  REQUIRE(!none);
  CHECK(none.error().code == core::errc::too_large);
  CHECK(on.allocate(0, core::memory_kind::device));
}

} // namespace device_suite
