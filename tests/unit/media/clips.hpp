#pragma once

/// Clips made with the ffmpeg program when a test asks for them, in a folder that goes when the test program ends.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

#include "core/frame.hpp"
#include "core/packet.hpp"
#include "media/decoder.hpp"
#include "media/source.hpp"

namespace penstock::media::test {

namespace fs = std::filesystem;

class sandbox {
 public:
  sandbox() : path_{fs::temp_directory_path() / ("penstock-media-" + std::to_string(::getpid()))} {
    fs::create_directories(path_);
  }
  ~sandbox() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

inline const sandbox& folder() {
  static const sandbox the_folder;
  return the_folder;
}

/// What a shell command prints; throws when it fails.
inline std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> chunk{};
  for (std::size_t n = 0; pipe && (n = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
    text.append(chunk.data(), n);
  if (!pipe || ::pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return text;
}

inline void ffmpeg(const std::string& arguments) {
  (void)output_of("ffmpeg -hide_banner -loglevel error -nostdin -y " + arguments + " 2>&1");
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream{path, std::ios::binary} << text;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// 48 frames of a moving test picture (192x108 unless `size` says otherwise) with these encoder options; made once.
inline std::string clip(const std::string& name, const std::string& encoding, const std::string& size = "192x108") {
  const auto path = folder() / name;
  if (!fs::exists(path)) ffmpeg("-f lavfi -i testsrc2=size=" + size + ":rate=24 -frames:v 48 " + encoding + " " + path);
  return path;
}

/// The checksum of FFmpeg's framecrc muxer (Adler-32 from 0) over the packed planes.
inline std::uint32_t checksum(const core::frame_view& view) {
  std::uint32_t a = 0, b = 0;
  const auto plane = [&](std::size_t i, int bytes, int rows) {
    for (int y = 0; y < rows; ++y)
      for (int x = 0; x < bytes; ++x) {
        a = (a + view.planes[i][y * view.strides_bytes[i] + x]) % 65521;
        b = (b + a) % 65521;
      }
  };
  using enum core::pixel_format;
  const int w = view.width_px, h = view.height_px;
  const bool packed = view.format == rgb24 || view.format == bgr24;
  plane(0, packed ? 3 * w : w, h);
  const bool wide = view.format == i444;
  if (view.format == nv12) plane(1, (w + 1) / 2 * 2, (h + 1) / 2);
  if (view.format == i420 || view.format == i422 || view.format == i444)
    for (std::size_t i : {1U, 2U}) plane(i, wide ? w : (w + 1) / 2, view.format == i420 ? (h + 1) / 2 : h);
  return b << 16 | a;
}

/// What the ffmpeg program decodes.
inline std::vector<std::uint32_t> ffmpeg_checksums(const std::string& path) {
  const auto text = output_of("ffmpeg -hide_banner -loglevel error -nostdin -i " + path +
                              " -map 0:v:0 -vsync passthrough -f framecrc - 2>/dev/null");
  std::vector<std::uint32_t> sums;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    const auto line = text.substr(at, end - at);
    if (!line.starts_with('#'))
      sums.push_back(static_cast<std::uint32_t>(std::stoul(line.substr(line.rfind("0x")), nullptr, 16)));
    at = end + 1;
  }
  return sums;
}

/// All packets of a source, each with its codec; errors on the way are kept.
struct recording {
  std::vector<core::packet_ptr> packets;
  std::vector<core::codec_ptr> codecs;
  std::vector<core::error> errors;
  core::errc end = core::errc::internal;
};

inline recording record(packet_source& source) {
  recording all;
  while (true) {
    auto packet = source.read();
    if (packet) {
      all.packets.push_back(*packet);
      all.codecs.push_back(source.codec());
      continue;
    }
    const auto code = packet.error().code;
    all.end = code;
    if (code == core::errc::end_of_stream || code == core::errc::unavailable || code == core::errc::cancelled)
      return all;
    all.errors.push_back(packet.error());
  }
}

inline recording record(const std::string& uri) {
  source_options options;
  options.uri = uri;
  auto source = open_source(options);
  if (!source) throw std::runtime_error(source.error().message);
  return record(**source);
}

/// Outcomes by key, in the order they came.
inline void take(decoder& from, std::vector<decoded>& to) {
  while (auto next = from.receive()) to.push_back(std::move(*next));
}

/// Decodes all packets with one decoder; the key is the packet's index.
inline std::vector<decoded> decode_all(const recording& all, const decode_options& options = {}) {
  auto opened = decoder::open(*all.codecs.at(0), options);
  if (!opened) throw std::runtime_error(opened.error().message);
  std::vector<decoded> outcomes;
  for (std::size_t i = 0; i < all.packets.size(); ++i) {
    if (!opened->send(*all.packets[i], i)) throw std::runtime_error("the decoder gave up");
    take(*opened, outcomes);
  }
  opened->flush();
  take(*opened, outcomes);
  return outcomes;
}

} // namespace penstock::media::test
