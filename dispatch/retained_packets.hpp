#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/packet.hpp"
#include "core/time.hpp"
#include "dispatch/window.hpp"

namespace penstock::dispatch {

/// Sums over retained packets.
struct packet_sums {
  std::size_t pending = 0;           ///< wanted frames without a fate
  std::size_t bytes = 0;             ///< all
  std::size_t unprocessed_bytes = 0; ///< from the first pending packet of each segment on

  packet_sums& operator+=(const packet_sums& other) noexcept {
    pending += other.pending;
    bytes += other.bytes;
    unprocessed_bytes += other.unprocessed_bytes;
    return *this;
  }
  packet_sums& operator-=(const packet_sums& other) noexcept {
    pending -= other.pending;
    bytes -= other.bytes;
    unprocessed_bytes -= other.unprocessed_bytes;
    return *this;
  }
};

/// The packets of one segment that the head keeps, and which of their frames still need an outcome. Every change is
/// also booked in `total`, the sums of the stream.
class retained_packets {
 public:
  struct entry {
    core::packet_ptr packet;
    core::time_point arrived{};
    bool pending = false;
  };

  void append(core::packet_ptr packet, bool pending, core::time_point now, packet_sums& total);

  /// The frame has its fate. False if it had it before.
  bool resolve(std::uint32_t ordinal, packet_sums& total);

  /// Counts what lies before the first pending packet as processed; the owner calls it whenever that is so.
  void pass_processed(packet_sums& total);

  /// Forgets what is processed; from then on the segment cannot be sent again.
  void let_go_processed(packet_sums& total);

  /// Forgets everything.
  void clear(packet_sums& total);

  /// When the oldest pending frame fell due: a decoder that holds back `reorder` packets could have shown it. Nothing
  /// if no pending frame is due. `closed_at`: the end of the segment, which makes everything due.
  [[nodiscard]] std::optional<core::time_point> due_since(std::uint32_t reorder,
                                                          std::optional<core::time_point> closed_at) const;

  /// When the oldest pending frame arrived; nothing if none is pending.
  [[nodiscard]] std::optional<core::time_point> pending_since() const;

  [[nodiscard]] const packet_sums& sums() const noexcept { return sums_; }
  [[nodiscard]] const window<entry>& packets() const noexcept { return packets_; }
  [[nodiscard]] bool truncated() const noexcept { return truncated_; }

 private:
  [[nodiscard]] std::uint64_t first_pending() const;

  window<entry> packets_;
  packet_sums sums_;
  mutable std::uint64_t first_pending_ = 0; ///< nothing before it is pending
  std::uint64_t processed_ = 0;             ///< packets before it do not count as unprocessed
  bool truncated_ = false;
};

} // namespace penstock::dispatch
