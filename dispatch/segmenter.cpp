#include "dispatch/segmenter.hpp"

#include <utility>

namespace penstock::dispatch {

segmenter::segmenter(core::codec_ptr codec, std::uint32_t min_packets)
    : codec_{std::move(codec)}, min_packets_{min_packets} {}

void segmenter::push(const core::packet_ptr& packet, std::vector<segment_event>& out) {
  if (packet->access != core::random_access::none) {
    close(earlier_, out);
    open_keyframe_ = nullptr;
    const bool cut = !current_ || current_->packets >= min_packets_;
    if (cut) {
      if (packet->access == core::random_access::open) {
        earlier_ = std::exchange(current_, std::nullopt);
        open_keyframe_ = packet;
        keyframe_copied_ = false;
      } else {
        close(current_, out);
      }
      open(out);
    }
    append(*current_, packet, packet->shown, out);
    return;
  }
  if (!current_) {
    out.emplace_back(packet_refused{packet, core::drop_reason::no_keyframe, next_number_});
    return;
  }
  if (open_keyframe_) {
    if (packet->pts < open_keyframe_->pts) {
      push_leading(packet, out);
      return;
    }
    close(earlier_, out);
    open_keyframe_ = nullptr;
  }
  append(*current_, packet, packet->shown, out);
}

void segmenter::push_leading(const core::packet_ptr& packet, std::vector<segment_event>& out) {
  if (!earlier_) {
    out.emplace_back(packet_refused{packet, core::drop_reason::no_keyframe, current_->number});
    return;
  }
  if (!std::exchange(keyframe_copied_, true)) append(*earlier_, open_keyframe_, false, out);
  append(*earlier_, packet, packet->shown, out);
}

void segmenter::set_codec(core::codec_ptr codec, std::vector<segment_event>& out) {
  finish(out);
  codec_ = std::move(codec);
}

void segmenter::finish(std::vector<segment_event>& out) {
  close(earlier_, out);
  close(current_, out);
  open_keyframe_ = nullptr;
}

void segmenter::open(std::vector<segment_event>& out) {
  current_ = part{next_number_++, 0};
  out.emplace_back(segment_opened{current_->number, codec_});
}

void segmenter::append(part& to, const core::packet_ptr& packet, bool owned, std::vector<segment_event>& out) {
  out.emplace_back(segment_appended{to.number, to.packets++, packet, owned});
}

void segmenter::close(std::optional<part>& which, std::vector<segment_event>& out) {
  if (!which) return;
  out.emplace_back(segment_closed{which->number});
  which.reset();
}

} // namespace penstock::dispatch
