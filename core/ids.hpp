#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace penstock::core {

/// A stream's number in the head's table of streams; its name is configuration.
struct stream_id {
  std::uint32_t value = 0;
  auto operator<=>(const stream_id&) const = default;
};

/// A worker's number in the head's table of workers. Never used again for another worker.
struct worker_id {
  std::uint32_t value = 0;
  auto operator<=>(const worker_id&) const = default;
};

/// A segment: what one decoder can decode alone. Numbers count from 0 in a stream and epoch; an epoch is one life of
/// the head.
struct segment_id {
  stream_id stream;
  std::uint32_t epoch = 0;
  std::uint64_t number = 0;
  auto operator<=>(const segment_id&) const = default;
};

/// The id of a frame's result: the frame's packet within its segment, counted in decode order from 0. It is known
/// before the frame is decoded and does not depend on who decodes it.
struct result_id {
  segment_id segment;
  std::uint32_t ordinal = 0;
  auto operator<=>(const result_id&) const = default;
};

/// Mixes a 64-bit value (the finaliser of SplitMix64, Steele et al. 2014).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

} // namespace penstock::core

template <>
struct std::hash<penstock::core::stream_id> {
  std::size_t operator()(const penstock::core::stream_id& id) const noexcept { return penstock::core::mix(id.value); }
};

template <>
struct std::hash<penstock::core::worker_id> {
  std::size_t operator()(const penstock::core::worker_id& id) const noexcept { return penstock::core::mix(id.value); }
};

template <>
struct std::hash<penstock::core::segment_id> {
  std::size_t operator()(const penstock::core::segment_id& id) const noexcept {
    const auto high = (std::uint64_t{id.stream.value} << 32) | id.epoch;
    return penstock::core::mix(high ^ penstock::core::mix(id.number));
  }
};
