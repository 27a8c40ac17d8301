#include "actors/ack_book.hpp"

namespace penstock::actors {

ack_book::settled ack_book::acknowledged(std::size_t sink, const std::vector<bool>& written) {
  if (given_up_) return {};
  for (const bool good : written) {
    auto& next = frames_.at(reached_.at(sink)++ - first_);
    ++next.acks;
    if (!good) next.failed = true;
  }
  settled out;
  while (!frames_.empty() && frames_.front().acks == reached_.size()) {
    if (frames_.front().failed) {
      ++out.failed;
    } else {
      ++out.delivered;
      out.captured.push_back(frames_.front().captured);
    }
    frames_.pop_front();
    ++first_;
  }
  return out;
}

ack_book::settled ack_book::settle_all() {
  settled out;
  for (const auto& each : frames_) out.captured.push_back(each.captured);
  out.delivered = frames_.size();
  first_ += frames_.size();
  frames_.clear();
  return out;
}

ack_book::settled ack_book::give_up() {
  given_up_ = true;
  settled out;
  out.failed = frames_.size();
  frames_.clear();
  return out;
}

} // namespace penstock::actors
