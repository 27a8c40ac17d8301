#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "actors/messages.hpp"
#include "media/decoder.hpp"

namespace penstock::actors {

/// Finds the pictures of results again, at the head, by decoding the segments once more: so workers never send pictures
/// back, and memory holds compressed packets only. Results must be asked for in presentation order.
class frame_finder {
 public:
  explicit frame_finder(media::decode_options options) : options_{options} {}

  void add(const sink_packet& packet);

  /// The picture of a result. Errors: those of the decoder, `not_found` when no packet leads to it.
  [[nodiscard]] core::expected<core::frame_ptr> find(const core::result_id& id);

 private:
  core::expected<void> enter(const core::segment_id& segment);
  std::optional<core::expected<core::frame_ptr>> take(std::uint32_t ordinal);
  void take_frames();

  media::decode_options options_;
  std::map<core::segment_id, std::deque<sink_packet>> packets_; ///< not decoded yet; segments may overlap in time
  std::optional<core::segment_id> segment_;                     ///< that the decoder is in
  std::optional<media::decoder> decoder_;
  std::map<std::uint32_t, core::expected<core::frame_ptr>> frames_; ///< decoded and not asked for, by ordinal
};

} // namespace penstock::actors
