#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/time.hpp"

namespace penstock::media {

/// A picture of `view` as a JPEG file; `quality` from 1 to 100. Full-range BT.601, as JPEG is.
[[nodiscard]] core::expected<std::vector<std::byte>> encode_jpeg(const core::frame_view& view, int quality = 90);

/// A picture of `view` as a PNG file (lossless).
[[nodiscard]] core::expected<std::vector<std::byte>> encode_png(const core::frame_view& view);

struct mp4_options {
  std::string path;
  int width_px = 0; ///< odd sizes are rounded down to even
  int height_px = 0;
  double frames_per_s = 25; ///< nominal; the frames' own times count
  int quality = 23;         ///< 0 best to 51 smallest (x264's CRF; mapped for the fallback)
};

/// Writes an MP4 file (H.264 by libx264 where FFmpeg has it, otherwise MPEG-4 part 2) in fragments: memory stays
/// constant, and what was written before a crash or a full disk plays. One thread at a time.
class mp4_writer {
 public:
  /// `io` when the file cannot be created, `invalid_argument` for a bad size or rate.
  [[nodiscard]] static core::expected<mp4_writer> open(const mp4_options& options);

  mp4_writer(mp4_writer&&) noexcept;
  mp4_writer& operator=(mp4_writer&&) noexcept;
  /// Closes the file; errors are logged. Call `close` to see them.
  ~mp4_writer();

  /// Appends a frame of any pixel format; one of another size is scaled. A pts that does not increase is moved just
  /// behind the one before. `io` when the disk is full; then the writer takes no more.
  [[nodiscard]] core::expected<void> write(const core::frame_view& view, core::media_time pts);

  /// Writes what the encoder holds back and finishes the file. Calling it again does nothing.
  [[nodiscard]] core::expected<void> close();

 private:
  struct impl;
  explicit mp4_writer(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::media
