#pragma once

#include <cstdint>
#include <string>

/// The first bytes of files, as far as the door looks at them.
namespace penstock::test {

inline std::string big(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * static_cast<unsigned>(i))));
  return out;
}

inline std::string png_of(std::uint32_t width, std::uint32_t height) {
  using namespace std::string_literals;
  return "\x89PNG\r\n\x1a\n"s + big(13, 4) + "IHDR" + big(width, 4) + big(height, 4) + "\x08\x02\0\0\0"s + "crc!" +
         "IDAT";
}

inline std::string jpeg_of(std::uint32_t width, std::uint32_t height, char frame = '\xc0') {
  using namespace std::string_literals;
  return "\xff\xd8"s + "\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"s + "\xff\xff\xdb\x00\x04\x00\x01"s + "\xff"s +
         frame + "\x00\x0b\x08"s + big(height, 2) + big(width, 2) + "\x01\x01\x11\x00"s + "\xff\xda\x00\x08pixels"s;
}

inline std::string webp_lossless_of(std::uint32_t width, std::uint32_t height) {
  using namespace std::string_literals;
  const std::uint32_t bits = (width - 1) | (height - 1) << 14U;
  std::string size;
  for (unsigned i = 0; i < 4; ++i) size.push_back(static_cast<char>(bits >> (8 * i)));
  return "RIFF\x40\0\0\0WEBPVP8L\x20\0\0\0\x2f"s + size + "pixels";
}

inline std::string transport_stream(int packets) {
  std::string out;
  for (int i = 0; i < packets; ++i) out += "G" + std::string(187, 'x');
  return out;
}

} // namespace penstock::test
