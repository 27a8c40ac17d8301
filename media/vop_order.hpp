#pragma once

/// Inside this room only: presentation times for MPEG-4 in AVI, which has decode times alone.

#include <algorithm>
#include <deque>

#include "media/av/ffmpeg.hpp"

namespace penstock::media {

/// A B-VOP is shown when it is decoded, and any other VOP when the next one that is not a B-VOP is decoded. So packets
/// wait until that one comes.
class vop_order {
 public:
  void push(av_ptr<AVPacket> packet, bool b_vop) {
    if (packet->pts == AV_NOPTS_VALUE && b_vop) packet->pts = packet->dts;
    if (!b_vop) {
      if (waiting_) waiting_->pts = packet->dts;
      waiting_ = packet->pts == AV_NOPTS_VALUE ? packet.get() : nullptr;
    }
    queue_.push_back(std::move(packet));
  }

  /// Nothing more comes.
  void finish() {
    if (waiting_) waiting_->pts = queue_.back()->dts + std::max<std::int64_t>(1, waiting_->duration);
    waiting_ = nullptr;
  }

  /// The next packet in decode order, or null while its time is not known.
  [[nodiscard]] av_ptr<AVPacket> pop() {
    if (queue_.empty() || queue_.front().get() == waiting_) return nullptr;
    auto packet = std::move(queue_.front());
    queue_.pop_front();
    return packet;
  }

 private:
  std::deque<av_ptr<AVPacket>> queue_;
  AVPacket* waiting_ = nullptr; ///< in the queue
};

} // namespace penstock::media
