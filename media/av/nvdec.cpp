#include "media/av/nvdec.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <spdlog/spdlog.h>

#include "media/av/cuda_driver.hpp"
#include "media/frames.hpp"

// hwcontext_cuda.h asks for CUDA's headers, which a build for the CPU has not, for the names of two handles.
#define CUDA_VERSION 0
using CUcontext = CUctx_st*;
using CUstream = struct CUstream_st*;
extern "C" {
#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_cuda.h>
#include <libavutil/pixdesc.h>
}

namespace penstock::media {

namespace {

template <class T>
T& data_of(const AVBufferRef& reference) {
  return *static_cast<T*>(static_cast<void*>(reference.data));
}

core::expected<std::shared_ptr<nvdec>> open_device(int cuda_device) {
  const auto context = primary_context(cuda_device);
  if (!context) return tl::unexpected{context.error()};
  av_ptr<AVBufferRef> device{checked(av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA))};
  static_cast<AVCUDADeviceContext*>(data_of<AVHWDeviceContext>(*device).hwctx)->cuda_ctx = *context;
  if (const int code = av_hwdevice_ctx_init(device.get()); code < 0)
    return core::fail(core::errc::unsupported, "FFmpeg cannot use CUDA here: " + av_text(code));
  return std::make_shared<nvdec>(cuda_device, std::move(device));
}

/// Each device once in the process, or the reason why not: contexts are dear.
core::expected<std::shared_ptr<nvdec>> device_at(int cuda_device) {
  struct opened {
    std::mutex mutex;
    std::map<int, core::expected<std::shared_ptr<nvdec>>> devices;
  };
  // never destroyed: the driver may be gone before this process's static objects are
  static auto& all = *std::make_unique<opened>().release();
  const std::lock_guard lock{all.mutex};
  const auto at = all.devices.find(cuda_device);
  return at != all.devices.end() ? at->second
                                 : all.devices.emplace(cuda_device, open_device(cuda_device)).first->second;
}

bool knows_gpus(const AVCodec& library) {
  constexpr std::array exact{AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9};
  if (std::find(exact.begin(), exact.end(), library.id) == exact.end()) return false;
  for (int i = 0; const auto* way = avcodec_get_hw_config(&library, i); ++i)
    if (way->pix_fmt == AV_PIX_FMT_CUDA && (way->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX)) return true;
  return false;
}

/// Whether frames of this kind come out as the house has them. FFmpeg leaves the last row of chroma behind where rows
/// are odd.
bool fits(const AVCodecContext& context) {
  const auto format = context.sw_pix_fmt;
  const bool layout = format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUV420P10LE;
  return layout && context.coded_width % 2 == 0 && context.coded_height % 2 == 0;
}

/// Once for each reason, since every segment asks again.
void say_on_cpu(const std::string& what, const std::string& why) {
  static std::mutex mutex;
  static std::set<std::string> said;
  auto line = fmt::format("{} is decoded on the CPU: {}", what, why);
  const std::lock_guard lock{mutex};
  if (said.insert(line).second) spdlog::warn("{}", line);
}

} // namespace

std::shared_ptr<nvdec> nvdec::attach(AVCodecContext& context, const AVCodec& library, int cuda_device) {
  if (!knows_gpus(library)) {
    say_on_cpu(avcodec_get_name(library.id), fmt::format("its decoder {} is not for GPUs", library.name));
    return nullptr;
  }
  const auto device = device_at(cuda_device);
  if (!device) {
    say_on_cpu("video", fmt::format("GPU {} cannot be used: {}", cuda_device, device.error().message));
    return nullptr;
  }
  context.hw_device_ctx = checked(av_buffer_ref((*device)->device_.get()));
#ifdef AV_HWACCEL_FLAG_UNSAFE_OUTPUT
  context.hwaccel_flags |= AV_HWACCEL_FLAG_UNSAFE_OUTPUT; // later FFmpegs copy each surface; we do that ourselves
#endif
  return *device;
}

AVPixelFormat nvdec::choose_format(const AVCodecContext& context, const AVPixelFormat* offered,
                                   std::uint64_t max_pixels) const {
  bool cuda = false;
  auto software = AV_PIX_FMT_NONE;
  for (; *offered != AV_PIX_FMT_NONE; ++offered) {
    if (*offered == AV_PIX_FMT_CUDA) cuda = true;
    if (software == AV_PIX_FMT_NONE && !(av_pix_fmt_desc_get(*offered)->flags & AV_PIX_FMT_FLAG_HWACCEL))
      software = *offered;
  }
  const auto pixels =
      static_cast<std::uint64_t>(context.coded_width) * static_cast<std::uint64_t>(context.coded_height);
  if (pixels > max_pixels) return software; // which refuses it
  if (cuda && fits(context)) return AV_PIX_FMT_CUDA;
  const auto* name = av_get_pix_fmt_name(software);
  say_on_cpu(fmt::format("{} {} {}x{}", avcodec_get_name(context.codec_id), name ? name : "?", context.coded_width,
                         context.coded_height),
             cuda ? std::string{"no frame of this kind comes from a GPU"}
                  : fmt::format("GPU {} has no decoder for it, or none is free", cuda_device_));
  return software;
}

core::expected<av_ptr<AVBufferRef>> nvdec::pool_for(const AVHWFramesContext& shape) {
  const std::lock_guard lock{mutex_};
  const auto found = std::find_if(pools_.begin(), pools_.end(), [&](const frame_pool& p) {
    return p.format == shape.sw_format && p.width == shape.width && p.height == shape.height;
  });
  if (found == pools_.end()) {
    av_ptr<AVBufferRef> frames{checked(av_hwframe_ctx_alloc(device_.get()))};
    auto& made = data_of<AVHWFramesContext>(*frames);
    made.format = AV_PIX_FMT_CUDA;
    made.sw_format = shape.sw_format;
    made.width = shape.width;
    made.height = shape.height;
    if (const int code = av_hwframe_ctx_init(frames.get()); code < 0)
      return core::fail(core::errc::engine, "frames on the GPU: " + av_text(code));
    pools_.back() = {shape.sw_format, shape.width, shape.height, std::move(frames)};
    std::rotate(pools_.begin(), pools_.end() - 1, pools_.end());
  } else {
    std::rotate(pools_.begin(), found, found + 1);
  }
  return av_ptr<AVBufferRef>{checked(av_buffer_ref(pools_.front().frames.get()))};
}

core::expected<core::frame_ptr> nvdec::take(av_ptr<AVFrame> surface) {
  const auto& shape = data_of<AVHWFramesContext>(*surface->hw_frames_ctx);
  const auto pool = pool_for(shape);
  if (!pool) return tl::unexpected{pool.error()};
  av_ptr<AVFrame> copy{checked(av_frame_alloc())};
  int code = av_hwframe_get_buffer(pool->get(), copy.get(), 0);
  if (code >= 0) code = av_hwframe_transfer_data(copy.get(), surface.get(), 0);
  if (code < 0) return core::fail(core::errc::engine, "a frame on the GPU: " + av_text(code));

  // FFmpeg has cut off the margins of a GPU's frame on the right and below, and leaves the others to us
  const auto left = static_cast<std::ptrdiff_t>(surface->crop_left);
  const auto top = static_cast<std::ptrdiff_t>(surface->crop_top);
  const bool deep = shape.sw_format != AV_PIX_FMT_NV12;
  auto result = std::make_shared<core::frame>();
  auto& view = result->view;
  view.width_px = surface->width - static_cast<int>(left);
  view.height_px = surface->height - static_cast<int>(top);
  view.format = deep ? core::pixel_format::p010 : core::pixel_format::nv12;
  view.matrix = matrix_of(surface->colorspace);
  view.range = range_of(shape.sw_format, surface->color_range);
  view.strides_bytes = {copy->linesize[0], copy->linesize[1], 0};
  view.planes = {copy->data[0] + top * view.strides_bytes[0] + left * (deep ? 2 : 1),
                 copy->data[1] + top / 2 * view.strides_bytes[1] + left / 2 * (deep ? 4 : 2), nullptr};
  view.memory = core::memory_kind::device;
  result->owner = std::shared_ptr<AVFrame>(std::move(copy));
  return result;
}

} // namespace penstock::media
