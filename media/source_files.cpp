#include <algorithm>
#include <filesystem>
#include <fstream>

#include "media/av/source.hpp"
#include "media/file_list.hpp"
#include "media/picture_file.hpp"
#include "media/picture_header.hpp"
#include "media/source_kinds.hpp"

namespace penstock::media {

namespace fs = std::filesystem;
using core::errc;

namespace {

constexpr source_traits files_traits{.kind = "files", .live = false, .finite = true};
constexpr source_traits pictures_traits{.kind = "pictures", .live = false, .finite = true};

/// Pictures have no time of their own; a second each keeps every one of them under any reasonable `sample_fps`.
constexpr core::media_time picture_time = std::chrono::seconds{1};

std::string path_of(const std::string& uri) { return uri.starts_with("file://") ? uri.substr(7) : uri; }

core::expected<std::unique_ptr<av_source>> open_video(const source_options& options, const std::string& path) {
  av_options none;
  // "file:" keeps a colon in the name from being taken for a protocol
  return av_source::open(options, {.url = "file:" + path, .name = path, .traits = files_traits}, none);
}

/// Videos and pictures one after the other on one timeline.
class file_list_source final : public packet_source {
 public:
  file_list_source(const source_options& options, std::vector<std::string> paths, source_traits traits)
      : options_{options}, paths_{std::move(paths)}, traits_{traits}, end_{options.origin} {}

  /// Takes the first file, already open.
  void begin_with(std::unique_ptr<av_source> video) {
    codec_ = video->codec();
    video_ = std::move(video);
    ++next_;
  }

  [[nodiscard]] const source_traits& traits() const noexcept override { return traits_; }
  [[nodiscard]] core::codec_ptr codec() const override { return codec_; }

  [[nodiscard]] std::uint64_t frames() const noexcept override {
    if (traits_.kind == pictures_traits.kind) return paths_.size();
    return paths_.size() == 1 && video_ ? video_->frames() : 0;
  }

  [[nodiscard]] core::expected<core::packet_ptr> read() override {
    while (true) {
      if (options_.stop.stop_requested()) return core::fail(errc::cancelled, "asked to stop");
      if (video_) {
        auto packet = video_->read();
        if (packet) codec_ = video_->codec();
        if (packet || packet.error().code != errc::end_of_stream) return packet;
        if (paths_.size() == 1) return packet; // stays open, for its number of frames
        end_ = video_->end();
        video_.reset();
      }
      if (next_ == paths_.size()) return core::fail(errc::end_of_stream, options_.uri);
      const auto& path = paths_[next_++];
      if (!codec_of_name(path).empty() || traits_.kind == pictures_traits.kind) return picture(path);
      auto options = options_;
      options.origin = end_;
      auto video = open_video(options, path);
      if (!video) return tl::unexpected{std::move(video.error())}; // the next read goes on with the next file
      video_ = std::move(*video);
    }
  }

 private:
  core::packet_ptr picture(const std::string& path) {
    auto made = read_picture(path, options_.max_pixels);
    made.packet->pts = made.packet->dts = end_;
    made.packet->duration = picture_time;
    end_ += picture_time;
    codec_ = std::move(made.codec);
    return std::move(made.packet);
  }

  source_options options_;
  std::vector<std::string> paths_;
  std::size_t next_ = 0;
  source_traits traits_;
  core::media_time end_;
  core::codec_ptr codec_;
  std::unique_ptr<av_source> video_;
};

/// The first bytes of a file that is there and can be read, or why not.
core::expected<std::vector<std::byte>> peek(const std::string& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) return core::fail(errc::not_found, path + ": no such file");
  std::ifstream file{path, std::ios::binary};
  if (!file) return core::fail(errc::io, path + ": cannot be opened for reading");
  if (fs::is_regular_file(status) && fs::file_size(path, error) == 0)
    return core::fail(errc::corrupt, path + ": is empty");
  if (!fs::is_regular_file(status)) return std::vector<std::byte>{}; // a pipe gives its bytes only once
  std::vector<std::byte> head(64);
  file.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
  if (file.bad()) return core::fail(errc::io, path + ": cannot be read");
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

bool is_picture(const std::string& path, std::span<const std::byte> head) {
  return !picture_codec(head).empty() || !codec_of_name(path).empty();
}

core::expected<source_ptr> open_list(const source_options& options, const std::string& path) {
  auto paths = list_files(path);
  if (!paths) return tl::unexpected{std::move(paths.error())};
  const bool pictures =
      std::all_of(paths->begin(), paths->end(), [](const std::string& p) { return !codec_of_name(p).empty(); });
  return std::make_unique<file_list_source>(options, std::move(*paths), pictures ? pictures_traits : files_traits);
}

std::optional<core::expected<source_traits>> describe(const std::string& uri) {
  const auto path = path_of(uri);
  std::error_code error;
  if (fs::is_directory(path, error)) return pictures_traits;
  if (is_pattern(path)) {
    const auto paths = list_files(path);
    if (!paths) return tl::unexpected{paths.error()};
    return codec_of_name(paths->front()).empty() ? files_traits : pictures_traits;
  }
  if (!fs::exists(path, error)) return core::fail(errc::not_found, path + ": no such file");
  return codec_of_name(path).empty() ? files_traits : pictures_traits;
}

core::expected<source_ptr> open(const source_options& options) {
  const auto path = path_of(options.uri);
  std::error_code error;
  if (fs::is_directory(path, error) || is_pattern(path)) return open_list(options, path);
  const auto head = peek(path);
  if (!head) return tl::unexpected{head.error()};
  const bool picture = is_picture(path, *head);
  auto source =
      std::make_unique<file_list_source>(options, std::vector{path}, picture ? pictures_traits : files_traits);
  if (!picture) {
    auto video = open_video(options, path);
    if (!video) return tl::unexpected{std::move(video.error())};
    source->begin_with(std::move(*video));
  }
  return source;
}

} // namespace

const source_kind files_kind{describe, open};

} // namespace penstock::media
