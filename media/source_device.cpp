#include <filesystem>

#include "media/av/source.hpp"
#include "media/source_kinds.hpp"

namespace penstock::media {

namespace {

constexpr std::string_view scheme = "v4l2://";

std::string device_path(const std::string& uri) { return uri.starts_with(scheme) ? uri.substr(scheme.size()) : uri; }

std::optional<core::expected<source_traits>> describe(const std::string& uri) {
  if (!uri.starts_with(scheme) && !uri.starts_with("/dev/video")) return std::nullopt;
  return source_traits{.kind = "device", .live = true, .finite = false};
}

core::expected<source_ptr> open(const source_options& options) {
  const auto path = device_path(options.uri);
  std::error_code error;
  if (!std::filesystem::is_character_file(path, error)) // it may be plugged in later
    return core::fail(core::errc::unavailable, options.uri + ": no such device now");
  av_options tuning;
  return av_source::open(
      options, {.url = path, .name = options.uri, .format = "v4l2", .traits = **describe(options.uri)}, tuning);
}

} // namespace

const source_kind device_kind{describe, open};

} // namespace penstock::media
