#include "actors/frame_finder.hpp"

#include <string>
#include <utility>

namespace penstock::actors {

void frame_finder::add(const sink_packet& packet) { packets_[packet.segment].push_back(packet); }

core::expected<core::frame_ptr> frame_finder::find(const core::result_id& id) {
  if (segment_ != id.segment) {
    if (auto entered = enter(id.segment); !entered) return tl::unexpected{entered.error()};
  }
  auto& packets = packets_[id.segment];
  for (;;) {
    if (auto frame = take(id.ordinal)) return std::move(*frame);
    frames_.clear(); // they come before this one and were dropped after all: nobody will ask for them
    if (packets.empty()) break;
    const auto next = std::move(packets.front());
    packets.pop_front();
    if (auto sent = decoder_->send(*next.packet.packet, next.packet.ordinal, next.packet.wanted); !sent)
      return tl::unexpected{sent.error()};
    take_frames();
  }
  decoder_->flush();
  take_frames();
  if (auto frame = take(id.ordinal)) return std::move(*frame);
  return core::fail(core::errc::not_found, "no packet leads to frame " + std::to_string(id.ordinal));
}

std::optional<core::expected<core::frame_ptr>> frame_finder::take(std::uint32_t ordinal) {
  const auto found = frames_.find(ordinal);
  if (found == frames_.end()) return std::nullopt;
  auto frame = std::move(found->second);
  frames_.erase(found);
  return frame;
}

core::expected<void> frame_finder::enter(const core::segment_id& segment) {
  packets_.erase(packets_.begin(), packets_.lower_bound(segment));
  frames_.clear();
  decoder_.reset();
  segment_.reset();
  const auto found = packets_.find(segment);
  if (found == packets_.end()) return core::fail(core::errc::not_found, "no packets of this segment");
  auto opened = media::decoder::open(*found->second.front().codec, options_);
  if (!opened) return tl::unexpected{opened.error()};
  decoder_ = std::move(*opened);
  segment_ = segment;
  return {};
}

void frame_finder::take_frames() {
  while (auto out = decoder_->receive()) frames_.insert_or_assign(static_cast<std::uint32_t>(out->key), out->frame);
}

} // namespace penstock::actors
