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
  /// Makes a decoder that is not open yet use a GPU, which FFmpeg may ask about in get_format: see `choose_format`.
  /// Null where it has to stay on the CPU; a log line says why, once for each reason. Not for codecs whose standard
  /// leaves the rounding of the transform open (MPEG-1, 2 and 4, JPEG), so that a frame never depends on who decodes
  /// it.
  [[nodiscard]] static std::shared_ptr<nvdec> attach(AVCodecContext& context, const AVCodec& library, int cuda_device);

  nvdec(int cuda_device, av_ptr<AVBufferRef> device) noexcept : cuda_device_{cuda_device}, device_{std::move(device)} {}

  /// For AVCodecContext::get_format: the GPU's where it can do it, otherwise the CPU's, and says why as `attach` does.
  /// FFmpeg asks when the headers are known, and again without the GPU's when the hardware refused.
  [[nodiscard]] AVPixelFormat choose_format(const AVCodecContext& context, const AVPixelFormat* offered,
                                            std::uint64_t max_pixels) const;

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

  int cuda_device_;
  av_ptr<AVBufferRef> device_; ///< AVHWDeviceContext
  std::mutex mutex_;
  std::array<frame_pool, 8> pools_; ///< the latest first
};

} // namespace penstock::media
