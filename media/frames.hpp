#pragma once

/// Inside this room only: between FFmpeg's frames and the house's.

#include <array>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "media/av/ffmpeg.hpp"

namespace penstock::media {

/// FFmpeg's name of a pixel format and range; full-range 4:2:0 and the like are its "yuvj" formats.
[[nodiscard]] AVPixelFormat to_av(core::pixel_format format, core::color_range range) noexcept;

/// What a decoder's frame says of its colours, and what the house assumes where it says nothing.
[[nodiscard]] core::color_matrix matrix_of(AVColorSpace space) noexcept;
[[nodiscard]] core::color_range range_of(AVPixelFormat format, AVColorRange range) noexcept;

/// The pixel format of the house that `format` is bit for bit, or else the nearest one to convert it to.
struct format_match {
  core::pixel_format format;
  bool exact;
};
[[nodiscard]] core::expected<format_match> match_format(AVPixelFormat format);

/// Converts pixel format and size with swscale; keeps its context between frames of one kind.
class scaler {
 public:
  /// `target` describes the planes to write (const-cast of a view that the caller owns).
  [[nodiscard]] core::expected<void> convert(const core::frame_view& source, const core::frame_view& target);
  [[nodiscard]] core::expected<void> convert(const AVFrame& source, const core::frame_view& target);

 private:
  struct side {
    int width, height;
    AVPixelFormat format;
    core::color_matrix matrix;
    bool full;
    bool operator==(const side&) const = default;
  };
  [[nodiscard]] core::expected<void> run(const side& from, const std::uint8_t* const* data, const int* strides,
                                         const core::frame_view& target);

  av_ptr<SwsContext> context_;
  side from_{}, to_{};
};

/// A new frame of this kind with memory of its own, rows aligned to 64 bytes; the contents are undefined.
[[nodiscard]] std::shared_ptr<core::frame> make_frame(int width_px, int height_px, core::pixel_format format,
                                                      core::color_matrix matrix = core::color_matrix::bt601,
                                                      core::color_range range = core::color_range::limited);

/// Plane `index` of a frame from `make_frame`, to write to.
[[nodiscard]] inline std::uint8_t* writable(const core::frame_view& view, std::size_t index) {
  return const_cast<std::uint8_t*>(view.planes[index]);
}

/// How many planes a format has, and the bytes and rows of one of them.
[[nodiscard]] int plane_count(core::pixel_format format) noexcept;
struct plane_size {
  int bytes;
  int rows;
};
[[nodiscard]] plane_size plane_extent(core::pixel_format format, int width_px, int height_px, int plane) noexcept;

/// Takes a decoded frame over without copying it, or converts it where the house has no such format.
[[nodiscard]] core::expected<core::frame_ptr> from_av(av_ptr<AVFrame> frame, scaler& convert);

} // namespace penstock::media
