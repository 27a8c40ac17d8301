#pragma once

/// Inside this room only: decoding on a GPU, by FFmpeg's hwaccel for NVDEC.

#include <array>
#include <memory>
#include <mutex>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "media/av/ffmpeg.hpp"

namespace penstock::media {

/// One GPU as FFmpeg sees it: in the device's primary context, which is everybody's, and on its default stream.
/// Thread-safe.
class nvdec {
 public:
  /// Opened once in the process and kept to its end, since contexts are dear; so is the error, `unsupported`, saying
  /// what is missing.
  [[nodiscard]] static core::expected<std::shared_ptr<nvdec>> open(int cuda_device);

  /// Whether a GPU may decode for it: FFmpeg knows how, and the codec's standard fixes every bit, so that a frame does
  /// not depend on who decodes it (MPEG-1, 2 and 4 and JPEG leave the rounding of their transform open).
  [[nodiscard]] static bool knows(const AVCodec& codec) noexcept;

  /// Whether frames of this kind can come out; the hardware may still refuse (FFmpeg then asks again without it).
  [[nodiscard]] static bool fits(const AVCodecContext& context) noexcept;

  explicit nvdec(av_ptr<AVBufferRef> device) noexcept : device_{std::move(device)} {}

  /// For AVCodecContext::hw_device_ctx; a reference of the caller's own.
  [[nodiscard]] AVBufferRef* device() const { return checked(av_buffer_ref(device_.get())); }

  /// Copies a decoder's surface, of which there are few, into memory of ours; no host memory is touched. The frame is
  /// ready behind the default stream. Error: `engine`.
  [[nodiscard]] core::expected<core::frame_ptr> take(av_ptr<AVFrame> surface);

 private:
  /// Memory for frames of one shape, used again and again: to get some from CUDA stops the whole device.
  struct frame_pool {
    AVPixelFormat format = AV_PIX_FMT_NONE;
    int width = 0, height = 0;
    av_ptr<AVBufferRef> frames; ///< AVHWFramesContext
  };
  [[nodiscard]] core::expected<av_ptr<AVBufferRef>> pool_for(const AVHWFramesContext& shape);

  av_ptr<AVBufferRef> device_; ///< AVHWDeviceContext
  std::mutex mutex_;
  std::array<frame_pool, 8> pools_; ///< the latest first
};

} // namespace penstock::media
