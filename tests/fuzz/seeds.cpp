// Writes what fuzzing begins with: seeds FOLDER

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <span>

#include "tests/fuzz/input.hpp"
#include "tests/unit/gateway/pictures.hpp"
#include "tests/unit/transport/messages.hpp"
#include "transport/keys.hpp"
#include "transport/push.hpp"
#include "transport/wire.hpp"

using namespace penstock;

namespace {

void write(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream{file}.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_bundle(const std::filesystem::path& file, const transport::parts& bundle) {
  std::vector<std::size_t> sizes;
  for (const auto& part : bundle.payloads) sizes.push_back(part.bytes.size());
  write(file, test::write_bundle(bundle.header, sizes));
}

/// One of each message of producers and heads.
void write_push(const std::filesystem::path& folder) {
  namespace push = transport::push;
  push::open open{"cam.1", {}, push::policy::lossless, true};
  open.codec.codec = "h264";
  open.codec.frames_per_s = 29.97;
  open.codec.extradata.resize(40);
  push::packet packet;
  packet.stream = "cam.1";
  packet.pts_us = -40'000;
  packet.dts_us = 1'790'000'000'000'000;
  packet.name = "shot.jpg";
  const std::vector<std::byte> picture(16);
  packet.bytes = {nullptr, picture};
  const std::vector<push::message> messages{open,
                                            packet,
                                            push::end{"cam.1"},
                                            push::credit{"cam.1", 32, 7, push::policy::live},
                                            push::done{"cam.1", 10, 8, {{"shed", 2}}},
                                            push::error{"cam.1", "no"},
                                            push::alive{}};
  for (std::size_t i = 0; i < messages.size(); ++i) write_bundle(folder / std::to_string(i), push::encode(messages[i]));
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const std::filesystem::path folder{argv[1]};
  transport::parts all;
  const auto seed = [&](const std::vector<test::named_message>& messages, std::string_view prefix) {
    for (const auto& m : messages) {
      transport::parts one;
      encode(m.message, one);
      write_bundle(folder / "bundle" / fmt::format("{}{}", prefix, transport::name_of(m.message)), one);
      encode(m.message, all);
    }
  };
  seed(test::one_of_each(), "");
  seed(test::large_ones(), "large_");
  write_bundle(folder / "bundle" / "all", all);
  write_push(folder / "push");
  const auto pair = transport::make_key_pair();
  const auto text = fmt::format("# comment\n{}\r\n{}\n", pair.public_key, pair.secret_key);
  write(folder / "keys" / "pair", std::as_bytes(std::span{text}));
  const auto form = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n" +
                    test::jpeg_of(8, 8) + "\r\n--b--\r\n";
  for (const auto& [name, bytes] : std::map<std::string, std::string>{{"form", form},
                                                                      {"jpeg", test::jpeg_of(640, 360)},
                                                                      {"png", test::png_of(640, 360)},
                                                                      {"webp", test::webp_lossless_of(640, 360)},
                                                                      {"target", "/v1/jobs?state=done&name=a%20b"},
                                                                      {"frames", "\x89\x84mask1234\x81\x81mask1"}}) {
    write(folder / "http" / name, std::as_bytes(std::span{bytes}));
  }
  return 0;
}
