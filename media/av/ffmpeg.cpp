#include "media/av/ffmpeg.hpp"

#include <array>
#include <cstdarg>
#include <mutex>
#include <spdlog/spdlog.h>
#include <string_view>

extern "C" {
#include <libavutil/log.h>
}

namespace penstock::media {

namespace {

void log_line(void* source, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_WARNING || !spdlog::should_log(spdlog::level::debug)) return;
  thread_local int prefix = 1;
  std::array<char, 1024> line{};
  av_log_format_line2(source, level, format, arguments, line.data(), static_cast<int>(line.size()), &prefix);
  std::string_view text{line.data()};
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (!text.empty()) spdlog::debug("ffmpeg: {}", text);
}

} // namespace

std::string av_text(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

void init_ffmpeg() {
  static std::once_flag once;
  std::call_once(once, [] {
    av_log_set_callback(log_line);
    avformat_network_init();
  });
}

} // namespace penstock::media
