#include "topology/source_uri.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "topology/expand.hpp"

namespace penstock::topology {
namespace {

constexpr std::string_view synthetic_scheme = "synthetic://";
constexpr std::string_view push_scheme = "push://";
constexpr std::string_view file_scheme = "file://";

bool starts_with(std::string_view s, std::string_view prefix) { return s.substr(0, prefix.size()) == prefix; }

std::string lower_extension(std::string_view file) {
  auto e = std::filesystem::path{file}.extension().string();
  std::transform(e.begin(), e.end(), e.begin(), [](unsigned char c) { return std::tolower(c); });
  return e;
}

template <std::size_t N>
bool has_extension(std::string_view file, const std::array<std::string_view, N>& extensions) {
  return std::find(extensions.begin(), extensions.end(), lower_extension(file)) != extensions.end();
}

/// The value of a parameter of `synthetic://?a=1&b=2`.
std::optional<std::string_view> parameter(std::string_view uri, std::string_view key) {
  auto rest = uri.substr(std::min(uri.find('?'), uri.size()));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto end = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, end);
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) == key) return equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    rest.remove_prefix(end);
  }
  return std::nullopt;
}

} // namespace

bool is_picture(std::string_view file) {
  constexpr std::array<std::string_view, 6> extensions{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".jfif"};
  return has_extension(file, extensions);
}

bool is_video(std::string_view file) {
  constexpr std::array<std::string_view, 21> extensions{".mp4",  ".m4v",  ".mov", ".mkv",  ".webm", ".avi",   ".ts",
                                                        ".m2ts", ".mts",  ".mpg", ".mpeg", ".flv",  ".wmv",   ".ogv",
                                                        ".h264", ".h265", ".264", ".265",  ".hevc", ".mjpeg", ".ivf"};
  return has_extension(file, extensions);
}

std::string_view to_string(source_kind kind) noexcept {
  switch (kind) {
  case source_kind::video: return "video";
  case source_kind::pictures: return "pictures";
  case source_kind::network: return "network";
  case source_kind::device: return "device";
  case source_kind::synthetic: return "synthetic";
  case source_kind::pushed: return "pushed";
  }
  return "unknown";
}

source_kind classify(std::string_view uri) {
  if (starts_with(uri, synthetic_scheme)) return source_kind::synthetic;
  if (starts_with(uri, push_scheme)) return source_kind::pushed;
  if (starts_with(uri, "v4l2://") || starts_with(uri, "/dev/video")) return source_kind::device;
  if (!starts_with(uri, file_scheme) && uri.find("://") != std::string_view::npos) return source_kind::network;
  return is_picture(uri) ? source_kind::pictures : source_kind::video;
}

std::string local_path(std::string_view uri) {
  return std::string{starts_with(uri, file_scheme) ? uri.substr(file_scheme.size()) : uri};
}

std::string pushed_name(std::string_view uri) {
  return std::string{starts_with(uri, push_scheme) ? uri.substr(push_scheme.size()) : uri};
}

std::string display_uri(std::string_view uri) {
  const auto scheme = uri.find("://");
  if (scheme == std::string_view::npos) return std::string{uri};
  const auto start = scheme + 3;
  const auto host = uri.substr(0, uri.find_first_of("/?#", start)).rfind('@');
  const auto colon = uri.find(':', start);
  if (host == std::string_view::npos || host < start || colon > host) return std::string{uri};
  return fmt::format("{}:***{}", uri.substr(0, colon), uri.substr(host));
}

bool is_finite(std::string_view uri) {
  switch (classify(uri)) {
  case source_kind::video:
  case source_kind::pictures: return true;
  case source_kind::pushed: // its producer says when
  case source_kind::device: return false;
  case source_kind::synthetic: return parameter(uri, "frames") != "0";
  case source_kind::network: break;
  }
  return starts_with(uri, "http") && uri.find(".m3u8") == std::string_view::npos; // a playlist may have no end
}

stream_policy default_policy(std::string_view uri) {
  const auto paced = classify(uri) == source_kind::synthetic && parameter(uri, "live").value_or("0") != "0";
  return is_finite(uri) && !paced ? stream_policy::lossless : stream_policy::live;
}

} // namespace penstock::topology
