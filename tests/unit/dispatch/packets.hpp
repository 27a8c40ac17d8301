#pragma once

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "core/packet.hpp"

namespace penstock::test {

using core::random_access;

/// A packet shown at `pts_ms`.
inline std::shared_ptr<core::packet> make_packet(std::int64_t pts_ms, random_access access = random_access::none,
                                                 std::size_t bytes = 100) {
  static const std::vector<std::byte> payload(1U << 20U);
  auto packet = std::make_shared<core::packet>();
  packet->pts = packet->dts = std::chrono::milliseconds{pts_ms};
  packet->access = access;
  packet->bytes = std::span{payload}.first(bytes);
  return packet;
}

inline core::codec_ptr make_codec(int reorder_frames = 0) {
  auto codec = std::make_shared<core::codec_description>();
  codec->codec = "h264";
  codec->reorder_frames = reorder_frames;
  return codec;
}

/// The actions of one kind, in order.
template <class T, class Actions>
std::vector<T> all(const Actions& actions) {
  std::vector<T> found;
  for (const auto& action : actions)
    if (const auto* match = std::get_if<T>(&action)) found.push_back(*match);
  return found;
}

} // namespace penstock::test
