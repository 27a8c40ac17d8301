#pragma once

/// Inside this room only: FFmpeg's handles with owners, its errors as text, its log in ours.

#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/buffer.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

#include "core/error.hpp"

namespace penstock::media {

struct av_deleter {
  void operator()(AVFrame* p) const noexcept { av_frame_free(&p); }
  void operator()(AVPacket* p) const noexcept { av_packet_free(&p); }
  void operator()(AVCodecContext* p) const noexcept { avcodec_free_context(&p); }
  void operator()(AVCodecParserContext* p) const noexcept { av_parser_close(p); }
  void operator()(SwsContext* p) const noexcept { sws_freeContext(p); }
  void operator()(AVBufferRef* p) const noexcept { av_buffer_unref(&p); }
};

template <class T>
using av_ptr = std::unique_ptr<T, av_deleter>;

inline constexpr AVRational microsecond_base{1, 1'000'000};

/// Options for libavformat and libavcodec calls.
class av_options {
 public:
  av_options() = default;
  ~av_options() { av_dict_free(&dict_); }
  av_options(const av_options&) = delete;
  av_options& operator=(const av_options&) = delete;

  void set(const char* key, const std::string& value) { av_dict_set(&dict_, key, value.c_str(), 0); }
  [[nodiscard]] AVDictionary** get() noexcept { return &dict_; }

 private:
  AVDictionary* dict_ = nullptr;
};

/// FFmpeg's text for its error code.
[[nodiscard]] std::string av_text(int code);

/// Sends FFmpeg's log to spdlog at debug level; once per process, cheap to call again.
void init_ffmpeg();

/// FFmpeg throws nothing and returns null when memory is short; this turns null into std::bad_alloc.
template <class T>
[[nodiscard]] T* checked(T* pointer) {
  if (!pointer) throw std::bad_alloc{};
  return pointer;
}

} // namespace penstock::media
