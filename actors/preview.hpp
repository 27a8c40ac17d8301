#pragma once

#include <algorithm>
#include <caf/typed_event_based_actor.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/frame_finder.hpp"
#include "actors/messages.hpp"
#include "actors/preview_screen.hpp"

namespace penstock::actors {

/// Packets and results of some segments of a stream.
struct preview_group {
  std::vector<sink_packet> packets;
  std::vector<core::frame_result> results;
};

/// The preview is done with so many packets.
struct preview_taken {
  core::stream_id stream;
  std::uint32_t packets = 0;
};

/// Nobody looks at the stream any more; the preview has ended.
struct preview_over {
  core::stream_id stream;
};

using preview_actor = caf::typed_actor<caf::reacts_to<preview_group>>;
using preview_outlet = caf::typed_actor<caf::reacts_to<preview_taken>, caf::reacts_to<preview_over>>;

struct preview_config {
  core::stream_id stream;
  std::shared_ptr<preview_screen> screen;
  media::decode_options decode;
  std::shared_ptr<const std::vector<std::string>> labels;
  double fps = 10; ///< at most
  int quality = 80;
};

struct preview_state {
  static inline const char* name = "preview";

  void take(const preview_group& group);
  [[nodiscard]] bool due(core::time_point now) const;

  preview_config config;
  std::optional<frame_finder> frames;
  core::time_point last{};
  std::size_t kept = 0; ///< packets of the current segment that are not decoded
  bool failing = false;
};

/// Detached: it decodes and encodes.
preview_actor::behavior_type preview(preview_actor::stateful_pointer<preview_state> self, const preview_config& config,
                                     const preview_outlet& head);

/// The head's end: what a stream's preview is sent. A preview that is too slow misses whole segments, so that neither
/// memory nor the stream suffer.
class preview_feed {
 public:
  preview_feed(preview_actor to, std::shared_ptr<preview_screen> screen)
      : to_{std::move(to)}, screen_{std::move(screen)} {}

  void open(const core::segment_id& segment, const core::codec_ptr& codec);
  /// Whether it takes the packet.
  bool add(const core::segment_id& segment, const leased_packet& packet);
  void add(const core::frame_result& result);
  void taken(std::uint32_t packets) { under_way_ -= std::min<std::size_t>(under_way_, packets); }
  template <class Self>
  void send(Self& self) {
    if (!group_.packets.empty() || !group_.results.empty()) self.send(to_, std::exchange(group_, {}));
  }
  [[nodiscard]] const preview_actor& actor() const noexcept { return to_; }
  [[nodiscard]] const std::shared_ptr<preview_screen>& screen() const noexcept { return screen_; }

 private:
  struct open_part {
    core::codec_ptr codec;
    std::uint32_t next = 0;
  };

  preview_actor to_;
  std::shared_ptr<preview_screen> screen_;
  std::map<std::uint64_t, open_part> segments_;
  preview_group group_;
  std::size_t under_way_ = 0; ///< packets sent and not yet done with
};

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(preview_group)
PENSTOCK_LOCAL_MESSAGE(preview_taken)
PENSTOCK_LOCAL_MESSAGE(preview_over)
