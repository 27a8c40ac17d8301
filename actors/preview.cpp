#include "actors/preview.hpp"

#include <spdlog/spdlog.h>
#include <utility>

#include "media/annotate.hpp"
#include "media/encoder.hpp"

namespace penstock::actors {

namespace {

/// Packets under way beyond which a preview is given no further segment.
constexpr std::size_t enough_packets = 256;

/// Packets that wait while no picture is due; more are decoded, so that they need not be kept.
constexpr std::size_t most_kept = 64;

} // namespace

bool preview_state::due(core::time_point now) const {
  return config.screen->wanted() && (config.fps <= 0 || now - last >= core::seconds{1 / config.fps});
}

void preview_state::take(const preview_group& group) {
  for (const auto& packet : group.packets) frames->add(packet);
  kept += group.packets.size();
  const auto now = core::clock::now();
  if (group.results.empty() || (!due(now) && kept < most_kept)) return;
  kept = 0;
  const auto& newest = group.results.back();
  const auto frame = frames->find(newest.id);
  if (!frame || !due(now)) return; // it was passed over, or dropped; or it is decoded for those that refer to it
  const auto drawn = media::annotate((*frame)->view, newest.objects, *config.labels);
  const auto jpeg = drawn ? media::encode_jpeg((*drawn)->view, config.quality) : tl::unexpected{drawn.error()};
  if (!jpeg) {
    if (!std::exchange(failing, true)) spdlog::warn("a preview cannot be drawn: {}", jpeg.error().message);
    return;
  }
  failing = false;
  last = now;
  config.screen->show(std::string{reinterpret_cast<const char*>(jpeg->data()), jpeg->size()});
}

preview_actor::behavior_type preview(preview_actor::stateful_pointer<preview_state> self, const preview_config& config,
                                     const preview_outlet& head) {
  self->state.config = config;
  self->state.frames.emplace(config.decode);
  return {
      [self, head](const preview_group& group) {
        self->state.take(group);
        const auto stream = self->state.config.stream;
        self->send(head, preview_taken{stream, static_cast<std::uint32_t>(group.packets.size())});
        if (self->state.config.screen->dark()) self->send(head, preview_over{stream});
      },
  };
}

void preview_feed::open(const core::segment_id& segment, const core::codec_ptr& codec) {
  if (under_way_ < enough_packets) segments_.try_emplace(segment.number, open_part{codec, 0});
}

bool preview_feed::add(const core::segment_id& segment, const leased_packet& packet) {
  const auto at = segments_.find(segment.number);
  if (at == segments_.end() || packet.ordinal < at->second.next) return false;
  at->second.next = packet.ordinal + 1;
  ++under_way_;
  group_.packets.push_back({segment, at->second.codec, packet});
  return true;
}

void preview_feed::add(const core::frame_result& result) {
  const auto number = result.id.segment.number;
  segments_.erase(segments_.begin(), segments_.lower_bound(number));
  if (segments_.contains(number)) group_.results.push_back(result);
}

} // namespace penstock::actors
