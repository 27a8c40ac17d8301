#include "topology/expand.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <glob.h>

namespace penstock::topology {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view synthetic_scheme = "synthetic://";
constexpr std::string_view file_scheme = "file://";

bool starts_with(std::string_view s, std::string_view prefix) { return s.substr(0, prefix.size()) == prefix; }

std::string lower_extension(std::string_view file) {
  auto e = fs::path{file}.extension().string();
  std::transform(e.begin(), e.end(), e.begin(), [](unsigned char c) { return std::tolower(c); });
  return e;
}

template <std::size_t N>
bool has_extension(std::string_view file, const std::array<std::string_view, N>& extensions) {
  return std::find(extensions.begin(), extensions.end(), lower_extension(file)) != extensions.end();
}

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

bool is_glob(std::string_view path) { return path.find_first_of("*?[") != std::string_view::npos; }

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

core::expected<std::vector<std::string>> matches(const std::string& pattern) {
  glob_t found{};
  const auto code = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<std::string> result;
  if (code == 0) result.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (code == GLOB_NOSPACE) return core::fail(core::errc::io, fmt::format("'{}' matches too much", pattern));
  std::sort(result.begin(), result.end());
  return result;
}

core::expected<std::vector<std::string>> files_of(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> result;
  for (fs::directory_iterator it{folder, error}, end; !error && it != end; it.increment(error)) {
    const auto file = it->path().string();
    if (it->path().filename().string().front() == '.') continue; // as globs do
    if ((is_video(file) || is_picture(file)) && it->is_regular_file(error)) result.push_back(file);
  }
  if (error) return core::fail(core::errc::io, fmt::format("'{}' cannot be listed: {}", folder, error.message()));
  std::sort(result.begin(), result.end());
  return result;
}

/// Part of an id made of a file name: what ids may not have becomes '_'.
std::string as_id(std::string name) {
  for (auto& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_' && c != '-') c = '_';
  }
  return name.empty() || name.front() == '.' ? '_' + name : name;
}

/// `ID/STEM` for every file; where stems collide the whole file name, then a number.
std::vector<std::string> ids_of(const std::string& id, const std::vector<std::string>& files) {
  std::multiset<std::string> stems;
  for (const auto& f : files) stems.insert(as_id(fs::path{f}.stem().string()));
  std::set<std::string> taken;
  std::vector<std::string> result;
  for (const auto& f : files) {
    auto part = as_id(fs::path{f}.stem().string());
    if (stems.count(part) > 1) part = as_id(fs::path{f}.filename().string());
    auto unique = part;
    for (int n = 2; !taken.insert(unique).second; ++n) unique = fmt::format("{}-{}", part, n);
    result.push_back(fmt::format("{}/{}", id, unique));
  }
  return result;
}

core::expected<std::vector<stream_source>> expand_files(const stream_source& one) {
  const auto path = local_path(one.uri);
  std::error_code error;
  const auto status = fs::status(path, error);
  const auto folder = fs::is_directory(status);
  auto result = one;
  result.uri = path;
  if (fs::exists(status) && !folder) {
    result.kind = is_picture(path) ? source_kind::pictures : source_kind::video;
    return std::vector{result};
  }
  if (!folder && !is_glob(path)) {
    if (error && error != std::errc::no_such_file_or_directory) {
      return core::fail(core::errc::io, fmt::format("'{}': {}", path, error.message()));
    }
    return core::fail(core::errc::not_found, fmt::format("'{}' does not exist", path));
  }
  const auto found = folder ? files_of(path) : matches(path);
  if (!found) return tl::unexpected{found.error()};
  if (found->empty()) {
    return core::fail(core::errc::not_found, folder ? fmt::format("'{}' has no videos or pictures in it", path)
                                                    : fmt::format("'{}' matches no file", path));
  }
  std::vector<std::string> videos;
  std::copy_if(found->begin(), found->end(), std::back_inserter(videos), [](const auto& f) { return !is_picture(f); });
  if (videos.empty()) {
    result.kind = source_kind::pictures;
    return std::vector{result};
  }
  if (videos.size() < found->size()) {
    return core::fail(core::errc::bad_config,
                      fmt::format("'{}' has videos ('{}') and pictures; allowed: one or the other", path, videos[0]));
  }
  std::vector<stream_source> all;
  const auto ids = ids_of(one.id, videos);
  for (std::size_t i = 0; i < videos.size(); ++i) {
    result.id = ids[i];
    result.uri = videos[i];
    all.push_back(result);
  }
  return all;
}

} // namespace

std::string_view to_string(source_kind kind) noexcept {
  switch (kind) {
  case source_kind::video: return "video";
  case source_kind::pictures: return "pictures";
  case source_kind::network: return "network";
  case source_kind::device: return "device";
  case source_kind::synthetic: return "synthetic";
  }
  return "unknown";
}

source_kind classify(std::string_view uri) {
  if (starts_with(uri, synthetic_scheme)) return source_kind::synthetic;
  if (starts_with(uri, "v4l2://") || starts_with(uri, "/dev/video")) return source_kind::device;
  if (!starts_with(uri, file_scheme) && uri.find("://") != std::string_view::npos) return source_kind::network;
  return is_picture(uri) ? source_kind::pictures : source_kind::video;
}

std::string local_path(std::string_view uri) {
  return std::string{starts_with(uri, file_scheme) ? uri.substr(file_scheme.size()) : uri};
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

core::expected<std::vector<stream_source>> expand_stream(const stream_config& stream, const stages_config& stages) {
  const auto kind = classify(stream.uri);
  const auto policy = stream.policy.value_or(default_policy(stream.uri));
  const auto camera = kind == source_kind::network && policy == stream_policy::live;
  const stream_source one{.id = stream.id,
                          .uri = stream.uri,
                          .kind = kind,
                          .finite = is_finite(stream.uri) && !camera,
                          .policy = policy,
                          .sample_fps = stream.sample_fps.value_or(stages.decode.sample_fps),
                          .transport = stream.transport,
                          .reconnect = stream.reconnect};
  if (one.kind == source_kind::video || one.kind == source_kind::pictures) return expand_files(one);
  return std::vector{one};
}

core::expected<std::vector<stream_source>> expand_streams(const config& c) {
  std::vector<stream_source> all;
  for (const auto& s : c.streams) {
    auto some = expand_stream(s, c.stages);
    if (!some) return core::fail(fmt::format("stream '{}'", s.id), std::move(some.error()));
    all.insert(all.end(), std::make_move_iterator(some->begin()), std::make_move_iterator(some->end()));
  }
  return all;
}

std::filesystem::path sink_path(const sink_config& sink, std::string_view stream) {
  constexpr std::string_view placeholder = "{stream}";
  auto text = sink.path.string();
  for (auto at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at + stream.size())) {
    text.replace(at, placeholder.size(), stream);
  }
  return text;
}

} // namespace penstock::topology
