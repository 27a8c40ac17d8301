#include "media/picture_file.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <spdlog/spdlog.h>

#include "media/file_list.hpp"
#include "media/picture_header.hpp"

namespace penstock::media {

namespace {

/// Headers before the size are seldom longer (EXIF with a thumbnail has at most 64 KiB, ICC profiles a few of these).
constexpr std::size_t header_bytes = 1 << 20;

core::codec_ptr codec_named(std::string_view name) {
  static const auto table = [] {
    std::array<core::codec_ptr, 4> codecs;
    std::size_t i = 0;
    for (const char* codec : {"mjpeg", "png", "webp", "bmp"}) {
      core::codec_description d;
      d.codec = codec;
      d.frames_per_s = 1;
      codecs[i++] = std::make_shared<const core::codec_description>(std::move(d));
    }
    return codecs;
  }();
  const auto at = std::find_if(table.begin(), table.end(), [&](const auto& c) { return c->codec == name; });
  return at == table.end() ? table.front() : *at;
}

using buffer = std::vector<std::byte>;

/// Up to `limit` bytes of a file and the padding; empty when it cannot be read.
buffer read_up_to(std::ifstream& file, std::uint64_t size, std::uint64_t limit) {
  const auto count = static_cast<std::size_t>(std::min(size, limit));
  buffer bytes(count + core::packet_padding_bytes);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(file.gcount()) + core::packet_padding_bytes);
  return bytes;
}

} // namespace

picture_packet read_picture(const std::string& path, std::uint64_t max_pixels) {
  auto packet = std::make_shared<core::packet>();
  packet->name = std::filesystem::path{path}.filename();
  packet->access = core::random_access::closed;
  packet->disposable = true;
  packet->captured = core::clock::now();

  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  std::ifstream file{path, std::ios::binary};
  std::string_view codec = codec_of_name(path);
  auto bytes = std::make_shared<buffer>();
  if (!error && file && size > 0) {
    *bytes = read_up_to(file, size, header_bytes);
    const std::span head{bytes->data(), bytes->size() - core::packet_padding_bytes};
    if (const auto actual = picture_codec(head); !actual.empty()) codec = actual;
    const auto header = parse_picture_header(head);
    // no format here needs more than 8 bytes a pixel, so a longer file is beyond the limit or not a picture
    const bool refused = (header && header->pixels() > max_pixels) || size > max_pixels * 8 + header_bytes;
    if (!refused && size > head.size()) *bytes = read_up_to(file, size, size);
  }
  const auto length = bytes->size() < core::packet_padding_bytes ? 0 : bytes->size() - core::packet_padding_bytes;
  if (length == 0) {
    packet->damaged = true;
    spdlog::warn("{}: {}", path, error ? error.message() : !file ? "cannot be read" : "is empty");
  }
  packet->bytes = {bytes->data(), length};
  packet->owner = std::move(bytes);
  return {std::move(packet), codec_named(codec)};
}

core::expected<picture_packet> picture_in_memory(std::string bytes) {
  const auto size = bytes.size();
  bytes.append(core::packet_padding_bytes, '\0');
  auto kept = std::make_shared<const std::string>(std::move(bytes));
  auto packet = std::make_shared<core::packet>();
  packet->bytes = std::as_bytes(std::span{kept->data(), size});
  const auto codec = picture_codec(packet->bytes);
  if (codec.empty()) return core::fail(core::errc::unsupported, "it is no JPEG, PNG, WebP or BMP picture");
  packet->owner = std::move(kept);
  packet->access = core::random_access::closed;
  packet->disposable = true;
  packet->captured = core::clock::now();
  return picture_packet{std::move(packet), codec_named(codec)};
}

} // namespace penstock::media
