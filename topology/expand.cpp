#include "topology/expand.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <glob.h>

#include "topology/source_uri.hpp"

namespace penstock::topology {
namespace {

namespace fs = std::filesystem;

bool is_glob(std::string_view path) { return path.find_first_of("*?[") != std::string_view::npos; }

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

core::expected<std::vector<stream_source>> expand_stream(const stream_config& stream, const stages_config& stages) {
  const auto kind = classify(stream.uri);
  const auto policy = stream.policy.value_or(default_policy(stream.uri));
  const auto camera = kind == source_kind::network && policy == stream_policy::live;
  const stream_source one{.id = stream.id,
                          .uri = stream.uri,
                          .kind = kind,
                          .finite = is_finite(stream.uri) && !camera,
                          .policy = policy,
                          .policy_open = kind == source_kind::pushed && !stream.policy,
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
