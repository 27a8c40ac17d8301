#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "core/frame.hpp"

namespace penstock::media {

/// A made-up camera: `synthetic://?width=640&height=360&fps=25&frames=250&gop=25&bframes=2&open_gop=0&codec=h264&
/// seed=1&stream=7&live=0`. Frames are drawn and encoded while they are read.
struct synthetic_options {
  int width_px = 640;         ///< `width`, 64 or more, even
  int height_px = 360;        ///< `height`, 48 or more, even
  double frames_per_s = 25;   ///< `fps`
  std::uint64_t frames = 250; ///< `frames`; 0 never ends
  int gop_frames = 25;        ///< `gop`, from one keyframe to the next
  int b_frames = 2;           ///< `bframes`, where the codec has them
  bool open_gop = false;      ///< `open_gop`, h264 and hevc
  std::string codec = "h264"; ///< `codec`: h264, hevc, vp9, av1, mpeg4, mjpeg, png
  std::uint64_t seed = 1;     ///< `seed` of the moving scene
  std::uint16_t stream = 0;   ///< `stream`, the number in the bar code
  bool live = false;          ///< `live`: in real time, at `fps`
  std::uint64_t bit_rate = 0; ///< `bitrate` in bit/s; 0: good quality
};

/// Reads `synthetic://?…`; `invalid_argument` names the parameter, its value and what is allowed.
[[nodiscard]] core::expected<synthetic_options> parse_synthetic_uri(const std::string& uri);

/// The scene at `frame`: moving shapes, and a bar code with the stream and frame number. I420, BT.601 limited.
[[nodiscard]] core::frame_ptr draw_scene(const synthetic_options& options, std::uint32_t frame);

/// What a bar code says.
struct barcode {
  std::uint16_t stream = 0;
  std::uint32_t frame = 0;

  bool operator==(const barcode&) const = default;
};

/// Reads the bar code of a synthetic frame at its own size, in any pixel format. Its checksum makes a wrong answer
/// improbable: a picture too bad to read gives none.
[[nodiscard]] std::optional<barcode> read_barcode(const core::frame_view& view);

} // namespace penstock::media
