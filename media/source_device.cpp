#include <dlfcn.h>
#include <filesystem>

#include "media/av/source.hpp"
#include "media/source_kinds.hpp"

extern "C" {
#include <libavdevice/version.h>
}

namespace penstock::media {

namespace {

constexpr std::string_view scheme = "v4l2://";

std::string device_path(const std::string& uri) { return uri.starts_with(scheme) ? uri.substr(scheme.size()) : uri; }

std::optional<core::expected<source_traits>> describe(const std::string& uri) {
  if (!uri.starts_with(scheme) && !uri.starts_with("/dev/video")) return std::nullopt;
  return source_traits{.kind = "device", .live = true, .finite = false};
}

/// Video4Linux is in libavdevice, and with it come SDL, PulseAudio, OpenGL and all of libavfilter: a third of the
/// program's libraries. So it is loaded when a camera is asked for. Once in the process; thread-safe.
core::expected<void> load_libavdevice() {
  constexpr const char* name = "libavdevice.so." AV_STRINGIFY(LIBAVDEVICE_VERSION_MAJOR);
  static const bool loaded = [] {
    void* library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    auto* registers = library ? reinterpret_cast<void (*)()>(::dlsym(library, "avdevice_register_all")) : nullptr;
    if (registers) registers();
    return registers != nullptr;
  }();
  if (!loaded) return core::fail(core::errc::unsupported, std::string{"cameras need "} + name + ", which is not here");
  return {};
}

core::expected<source_ptr> open(const source_options& options) {
  const auto path = device_path(options.uri);
  std::error_code error;
  if (!std::filesystem::is_character_file(path, error)) // it may be plugged in later
    return core::fail(core::errc::unavailable, options.uri + ": no such device now");
  init_ffmpeg();
  if (auto ready = load_libavdevice(); !ready) return core::fail(options.uri, std::move(ready.error()));
  av_options tuning;
  return av_source::open(
      options, {.url = path, .name = options.uri, .format = "v4l2", .traits = **describe(options.uri)}, tuning);
}

} // namespace

const source_kind device_kind{describe, open};

} // namespace penstock::media
