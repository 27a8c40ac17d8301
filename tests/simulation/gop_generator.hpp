#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "core/packet.hpp"
#include "tests/simulation/random.hpp"

namespace penstock::test {

/// A packet as an encoder would make it, with what its decoding needs.
struct coded_packet {
  core::packet_ptr packet;
  std::vector<std::size_t> refers_to; ///< indices of packets in the stream
};

/// What kind of stream to make.
struct gop_shape {
  int frames = 100;
  int min_gop = 4;
  int max_gop = 30;
  int b_frames = 0;         ///< between two reference frames: 0 to 3; 3 as a pyramid
  double open = 0;          ///< probability of an open keyframe
  double hidden = 0;        ///< probability of a frame that is never shown behind a reference frame
  double damaged = 0;       ///< probability of a packet that the decoder refuses
  bool starts_late = false; ///< the first packets refer to frames before the start
  std::int64_t period_us = 40'000;
  std::size_t max_bytes = 3000;
};

/// How many frames a decoder holds back for this shape.
inline int reorder_of(const gop_shape& shape) { return shape.b_frames == 3 ? 2 : std::min(shape.b_frames, 1); }

/// A stream in decode order. Its pts are the multiples of the period, each once.
inline std::vector<coded_packet> make_gops(const gop_shape& shape, random& rng) {
  static const std::vector<std::byte> bytes(1U << 16U);
  std::vector<coded_packet> stream;
  std::int64_t shown = 0; // display positions used up, all below it
  std::size_t last_reference = 0;
  bool any = false;

  const auto add = [&](std::int64_t position, core::random_access access, std::vector<std::size_t> refers_to,
                       bool is_shown = true) {
    auto packet = std::make_shared<core::packet>();
    packet->bytes =
        std::span{bytes}.first(static_cast<std::size_t>(rng.between(1, static_cast<std::int64_t>(shape.max_bytes))));
    packet->pts = core::media_time{position * shape.period_us};
    packet->dts = core::media_time{static_cast<std::int64_t>(stream.size()) * shape.period_us} -
                  4 * core::media_time{shape.period_us};
    packet->duration = core::media_time{shape.period_us};
    packet->access = access;
    packet->shown = is_shown;
    packet->damaged = is_shown && rng.chance(shape.damaged);
    stream.push_back({std::move(packet), std::move(refers_to)});
    return stream.size() - 1;
  };
  // Frames that are shown between `shown` and the reference frame at `position`.
  const auto add_between = [&](std::int64_t position, std::size_t before, std::size_t after) {
    const auto count = position - shown;
    if (count == 3) {
      const auto middle = add(shown + 1, core::random_access::none, {before, after});
      add(shown, core::random_access::none, {before, middle});
      add(shown + 2, core::random_access::none, {middle, after});
    } else {
      for (std::int64_t i = 0; i < count; ++i) add(shown + i, core::random_access::none, {before, after});
    }
    shown = position + 1;
  };

  if (shape.starts_late)
    for (int i = 0; i < 3; ++i) add(shown++, core::random_access::none, {SIZE_MAX});
  while (shown < shape.frames) {
    const auto gop_end = shown + rng.between(shape.min_gop, shape.max_gop);
    const bool open = rng.chance(shape.open);
    const auto position = open ? shown + rng.between(0, shape.b_frames) : shown;
    const auto keyframe = add(position, open ? core::random_access::open : core::random_access::closed, {});
    add_between(position, any ? last_reference : SIZE_MAX, keyframe);
    last_reference = keyframe;
    any = true;
    while (shown < gop_end) {
      auto before = last_reference;
      const auto next = std::min(shown + shape.b_frames, gop_end - 1);
      if (rng.chance(shape.hidden)) before = add(next, core::random_access::none, {before}, false);
      last_reference = add(next, core::random_access::none, {before});
      add_between(next, before, last_reference);
    }
  }
  return stream;
}

} // namespace penstock::test
