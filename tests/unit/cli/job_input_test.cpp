#include "cli/job_input.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>

#include "cli/http_client.hpp"
#include "tests/catch.hpp"

using namespace penstock;
using namespace std::string_view_literals;

namespace {

/// A folder of its own, removed at the end.
class folder {
 public:
  folder() : path_{std::filesystem::temp_directory_path() / ("penstock-input-" + std::to_string(::getpid()))} {
    std::filesystem::create_directories(path_);
  }
  ~folder() { std::filesystem::remove_all(path_); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  [[nodiscard]] std::filesystem::path write(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream{path_ / name, std::ios::binary} << content;
    return path_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string key_of(const std::filesystem::path& path, std::string_view salt = {}) {
  const auto input = cli::job_input::open(path);
  REQUIRE(input);
  const auto key = input->key(salt, {}, {});
  REQUIRE(key);
  return *key;
}

} // namespace

TEST_CASE("a file's type is known by its first bytes") {
  std::string stream(377, '\0');
  stream[0] = stream[188] = stream[376] = 'G';
  CHECK(cli::media_type_of("\xff\xd8\xff\xe0"sv) == "image/jpeg");
  CHECK(cli::media_type_of("\x89PNG\r\n\x1a\n"sv) == "image/png");
  CHECK(cli::media_type_of("RIFF\0\0\0\0WEBP"sv) == "image/webp");
  CHECK(cli::media_type_of("\0\0\0\x18"
                           "ftypisom"sv) == "video/mp4");
  CHECK(cli::media_type_of("\x1a\x45\xdf\xa3"sv) == "video/x-matroska");
  CHECK(cli::media_type_of(stream) == "video/mp2t");
  CHECK(cli::media_type_of(std::string_view{stream}.substr(0, 376)) == "application/octet-stream");
  CHECK(cli::media_type_of("") == "application/octet-stream");
}

TEST_CASE("the key of a file is that of its content and name, wherever it lies") {
  const folder in;
  const auto first = key_of(in.write("a/clip.mp4", "content"));
  CHECK(first.size() == 64);
  CHECK(key_of(in.write("b/clip.mp4", "content")) == first);
  CHECK(key_of(in.write("a/other.mp4", "content")) != first);
  CHECK(key_of(in.write("b/clip.mp4", "contend")) != first);
  CHECK(key_of(in.write("a/clip.mp4", "content"), "again") != first);
  CHECK(key_of(in.write("clip", ".mp4content")) != key_of(in.write("clip.mp4", "content")));
}

TEST_CASE("what is no file, or empty, is no input of a job") {
  const folder in;
  CHECK(cli::job_input::open(in.path() / "nowhere").error().code == core::errc::io);
  CHECK(cli::job_input::open(in.path()).error().code == core::errc::invalid_argument);
  CHECK(cli::job_input::open(in.write("empty", "")).error().code == core::errc::invalid_argument);
}

TEST_CASE("a file that was written to since it was opened is seen") {
  const folder in;
  const auto path = in.write("clip.mp4", "content");
  const auto input = cli::job_input::open(path);
  REQUIRE(input);
  CHECK_FALSE(input->changed());
  static_cast<void>(in.write("clip.mp4", "content and more"));
  CHECK(input->changed());
}

TEST_CASE("an address is read with or without a scheme") {
  CHECK(cli::read_address("http://127.0.0.1:8080")->base == "http://127.0.0.1:8080");
  CHECK(cli::read_address("head:8080")->base == "http://head:8080");
  CHECK(cli::read_address("https://head.example/door/")->base == "https://head.example/door");
  CHECK(cli::read_address("https://head.example/door/")->place == "https://head.example");
  CHECK(cli::read_address("http://[::1]:80/")->loopback);
  CHECK_FALSE(cli::read_address("http://10.0.0.8")->loopback);
}

TEST_CASE("an address that is none is refused without being repeated, since it may hold a password") {
  for (const auto* url : {"", "ftp://head", "http://", "http://u:secret@head", "http://secret@head",
                          "http://head?a=secret", "http://head:secret"}) {
    const auto read = cli::read_address(url);
    INFO(url);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::bad_config);
    CHECK(read.error().message.find("secret") == std::string::npos);
  }
}

TEST_CASE("text in a header or path is percent-encoded, byte by byte") {
  CHECK(cli::percent_encoded("Höfli 1/2.mp4") == "H%C3%B6fli%201%2F2.mp4");
}
