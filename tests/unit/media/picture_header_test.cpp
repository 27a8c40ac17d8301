#include "media/picture_header.hpp"

#include <algorithm>
#include <random>

#include "media/bitstream.hpp"
#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

std::vector<std::pair<std::string, picture_header>> pictures() {
  std::vector<std::pair<std::string, picture_header>> all;
  const auto make = [&](const std::string& name, const std::string& options, picture_header header) {
    const auto path = folder() / name;
    ffmpeg("-f lavfi -i testsrc2=size=70x46 -frames:v 1 " + options + " " + path);
    all.emplace_back(read_file(path), header);
  };
  make("header.jpg", "", {"mjpeg", 70, 46});
  make("header.png", "", {"png", 70, 46});
  make("header.bmp", "", {"bmp", 70, 46});
  make("lossy.webp", "-c:v libwebp", {"webp", 70, 46});
  make("lossless.webp", "-c:v libwebp -lossless 1", {"webp", 70, 46});
  make("alpha.webp", "-vf format=yuva420p,geq=lum=X:a=Y -c:v libwebp", {"webp", 70, 46});
  return all;
}

} // namespace

TEST_CASE("a picture's header tells its codec and size") {
  for (const auto& [bytes, header] : pictures()) {
    INFO(header.codec);
    CHECK(picture_codec(bytes_of(bytes)) == header.codec);
    const auto parsed = parse_picture_header(bytes_of(bytes));
    REQUIRE(parsed);
    CHECK(*parsed == header);
  }
}

TEST_CASE("a header that ends early or is damaged is never read past its end") {
  std::mt19937 rng{7};
  for (const auto& [whole, header] : pictures()) {
    for (std::size_t size = 0; size < std::min<std::size_t>(whole.size(), 700); ++size) {
      const std::vector<std::byte> cut(bytes_of(whole).begin(),
                                       bytes_of(whole).begin() + static_cast<std::ptrdiff_t>(size));
      const auto parsed = parse_picture_header(cut);
      if (parsed) CHECK(*parsed == header);
      if (size < 18) CHECK_FALSE(parsed);
      CHECK_FALSE((header.codec == "mjpeg" && jpeg_is_complete(cut)));
    }
    for (int round = 0; round < 2000; ++round) {
      std::vector<std::byte> damaged(bytes_of(whole).begin(), bytes_of(whole).end());
      for (int i = 0; i < 8; ++i) damaged[rng() % std::min<std::size_t>(damaged.size(), 700)] = std::byte(rng());
      (void)parse_picture_header(damaged);
      (void)jpeg_is_complete(damaged);
      (void)count_jpeg_scans(damaged);
      CHECK(png_without_texts(damaged).size() <= damaged.size());
    }
  }
}

TEST_CASE("a JPEG is complete only with its end marker") {
  const auto jpeg = pictures()[0].first;
  CHECK(jpeg_is_complete(bytes_of(jpeg)));
  CHECK(jpeg_is_complete(bytes_of(jpeg + std::string(100, '\0'))));
  CHECK_FALSE(jpeg_is_complete(bytes_of(jpeg.substr(0, jpeg.size() - 2))));
}

TEST_CASE("the scans of a JPEG are counted") {
  const auto jpeg = pictures()[0].first;
  CHECK(count_jpeg_scans(bytes_of(jpeg)) == 1);
  CHECK(count_jpeg_scans(bytes_of(jpeg + "\xff\xda\xff\xff\xda\xff")) == 3);
  CHECK(count_jpeg_scans({}) == 0);
}

TEST_CASE("a PNG is left without its compressed texts and profile, and is the same picture") {
  const auto png = pictures()[1].first;
  CHECK(png_without_texts(bytes_of(png)).empty());
  const auto chunk = [](const std::string& kind, const std::string& bytes) {
    return std::string{"\0\0\0", 3} + static_cast<char>(bytes.size()) + kind + bytes + "sum!";
  };
  constexpr std::size_t behind_header = 33;
  const auto with = [&](const std::string& more) {
    return png.substr(0, behind_header) + more + png.substr(behind_header);
  };
  const auto both = with(chunk("zTXt", "a") + chunk("iCCP", "bc") + chunk("gAMA", "1234") + chunk("iTXt", ""));
  const auto bare = png_without_texts(bytes_of(both));
  const auto expected = with(chunk("gAMA", "1234"));
  CHECK(std::ranges::equal(bare, bytes_of(expected)));
  // One that is longer than the file is left to the decoder.
  CHECK(png_without_texts(bytes_of(png.substr(0, behind_header) + "\xff\xff\xff\xffzTXtabcdefgh")).empty());
}

TEST_CASE("classifiers survive any bytes") {
  std::mt19937 rng{11};
  for (const auto* codec :
       {"h264", "hevc", "mpeg4", "mpeg2video", "vp8", "vp9", "av1", "mjpeg", "wmv3", "unheard-of"}) {
    for (int round = 0; round < 3000; ++round) {
      const auto random_bytes = [&](std::size_t most) {
        std::vector<std::byte> bytes(rng() % most);
        for (auto& b : bytes) b = std::byte(rng() % 3 ? rng() % 4 : rng()); // many zeros, so that start codes occur
        return bytes;
      };
      core::codec_description d;
      d.codec = codec;
      d.extradata = random_bytes(40);
      if (!d.extradata.empty() && round % 2) d.extradata[0] = std::byte{1};
      const auto classifier = make_classifier(d);
      for (int i = 0; i < 3; ++i) (void)classifier->classify(random_bytes(80), {});
    }
  }
  SUCCEED();
}
