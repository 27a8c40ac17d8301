#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/result.hpp"

namespace penstock::dispatch {

/// A stream's account of frames in one life of the head. The law: received = delivered + dropped + in flight, after
/// every event. A stream that goes on where an earlier life ended has not received what it passes over; frames that the
/// sinks had already are received, and delivered once their turn comes.
struct ledger {
  std::uint64_t received = 0;
  std::uint64_t delivered = 0; ///< taken by the sinks
  std::array<std::uint64_t, core::drop_reason_count> dropped{};

  void drop(core::drop_reason reason, std::uint64_t frames = 1) noexcept {
    dropped[static_cast<std::size_t>(reason)] += frames;
  }

  [[nodiscard]] std::uint64_t dropped_for(core::drop_reason reason) const noexcept {
    return dropped[static_cast<std::size_t>(reason)];
  }

  [[nodiscard]] std::uint64_t dropped_total() const noexcept {
    std::uint64_t sum = 0;
    for (auto n : dropped) sum += n;
    return sum;
  }

  /// What has no fate yet, by the books.
  [[nodiscard]] std::uint64_t in_flight() const noexcept { return received - delivered - dropped_total(); }

  /// Whether the books agree with `counted` frames actually found under way.
  [[nodiscard]] bool balanced(std::uint64_t counted) const noexcept {
    return received == delivered + dropped_total() + counted;
  }

  bool operator==(const ledger&) const = default;
};

} // namespace penstock::dispatch
