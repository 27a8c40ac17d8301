#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/time.hpp"

namespace penstock::actors {

/// Frames of one stream on their way through its sinks: a frame is settled when every sink has acknowledged it, and
/// delivered if every sink could write it. Sinks acknowledge in order.
class ack_book {
 public:
  explicit ack_book(std::size_t sinks) : reached_(sinks, 0) {}

  struct settled {
    std::uint64_t delivered = 0;
    std::uint64_t failed = 0;
    std::vector<core::time_point> captured; ///< of the delivered ones
  };

  /// A frame was given to all sinks.
  void emitted(core::time_point captured) { frames_.push_back({captured, 0, false}); }

  /// A sink is done with its next frames; returns what is settled by that.
  [[nodiscard]] settled acknowledged(std::size_t sink, const std::vector<bool>& written);

  /// Settles everything, for streams without sinks.
  [[nodiscard]] settled settle_all();

  /// Counts everything that is not settled as failed, and ignores whatever a sink says afterwards.
  [[nodiscard]] settled give_up();

 private:
  struct frame {
    core::time_point captured;
    std::size_t acks = 0;
    bool failed = false;
  };

  std::deque<frame> frames_; ///< emitted and not settled, oldest first
  std::uint64_t first_ = 0;  ///< number of `frames_.front()`
  bool given_up_ = false;
  std::vector<std::uint64_t> reached_; ///< by sink: number of the next frame it will acknowledge
};

} // namespace penstock::actors
