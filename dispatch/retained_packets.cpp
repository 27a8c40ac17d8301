#include "dispatch/retained_packets.hpp"

#include <algorithm>
#include <utility>

namespace penstock::dispatch {

void retained_packets::append(core::packet_ptr packet, bool pending, core::time_point now, packet_sums& total) {
  const auto size = packet->bytes.size();
  const packet_sums added{pending ? 1U : 0U, size, size};
  sums_ += added;
  total += added;
  packets_.push_back({std::move(packet), now, pending});
}

bool retained_packets::resolve(std::uint32_t ordinal, packet_sums& total) {
  if (!packets_.contains(ordinal) || !packets_[ordinal].pending) return false;
  packets_[ordinal].pending = false;
  --sums_.pending;
  --total.pending;
  return true;
}

std::uint64_t retained_packets::first_pending() const {
  const auto end = packets_.end_number();
  if (sums_.pending == 0) return end;
  while (first_pending_ < end && !packets_[first_pending_].pending) ++first_pending_;
  return first_pending_;
}

void retained_packets::pass_processed(packet_sums& total) {
  const auto until = first_pending();
  packet_sums passed;
  for (; processed_ < until; ++processed_) passed.unprocessed_bytes += packets_[processed_].packet->bytes.size();
  sums_ -= passed;
  total -= passed;
}

void retained_packets::let_go_processed(packet_sums& total) {
  packet_sums gone;
  while (packets_.first() < processed_) {
    gone.bytes += packets_.front().packet->bytes.size();
    packets_.pop_front();
    truncated_ = true;
  }
  sums_ -= gone;
  total -= gone;
  first_pending_ = std::max(first_pending_, packets_.first());
}

void retained_packets::clear(packet_sums& total) {
  total -= sums_;
  sums_ = {};
  packets_.clear();
  first_pending_ = processed_ = packets_.first();
}

std::optional<core::time_point> retained_packets::due_since(std::uint32_t reorder,
                                                            std::optional<core::time_point> closed_at) const {
  const auto oldest = first_pending();
  if (oldest >= packets_.end_number()) return std::nullopt;
  if (oldest + reorder < packets_.end_number()) return packets_[oldest + reorder].arrived;
  return closed_at;
}

std::optional<core::time_point> retained_packets::pending_since() const {
  const auto oldest = first_pending();
  return oldest < packets_.end_number() ? std::optional{packets_[oldest].arrived} : std::nullopt;
}

} // namespace penstock::dispatch
