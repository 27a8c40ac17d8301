#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace penstock::tests {

/// A picture, R G B.
struct picture {
  int width_px = 0;
  int height_px = 0;
  std::vector<std::uint8_t> rgb;
};

/// Decodes a still (`frames_per_s` empty), or so many frames a second of a clip, with the ffmpeg program. Empty where
/// there is none.
inline std::vector<picture> decode_pictures(const std::filesystem::path& file, const std::string& frames_per_s) {
  const auto command = "ffmpeg -nostdin -v error -i '" + file.string() + "'" +
                       (frames_per_s.empty() ? " -frames:v 1" : " -vf fps=" + frames_per_s) +
                       " -f image2pipe -c:v ppm - 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe{popen(command.c_str(), "r"), &pclose};
  std::vector<picture> pictures;
  picture p;
  while (pipe && std::fscanf(pipe.get(), "P6 %d %d 255", &p.width_px, &p.height_px) == 2 &&
         std::fgetc(pipe.get()) == '\n') {
    p.rgb.resize(static_cast<std::size_t>(p.width_px) * static_cast<std::size_t>(p.height_px) * 3);
    if (std::fread(p.rgb.data(), 1, p.rgb.size(), pipe.get()) != p.rgb.size()) break;
    pictures.push_back(p);
  }
  return pictures;
}

} // namespace penstock::tests
