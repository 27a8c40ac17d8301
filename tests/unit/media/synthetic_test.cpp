#include "media/synthetic.hpp"

#include <malloc.h>
#include <set>

#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;

TEST_CASE("every synthetic frame carries its stream and number through every codec") {
  for (const auto* codec : {"h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "png"}) {
    for (const auto* size : {"&width=64&height=48", "&width=322&height=182"}) {
      for (const auto* gop : {"&gop=7&bframes=2", "&gop=7&bframes=2&open_gop=1", "&gop=5&bframes=0"}) {
        const auto uri = std::string{"synthetic://?frames=20&stream=513&seed=3&codec="} + codec + size + gop;
        INFO(uri);
        const auto all = record(uri);
        REQUIRE(all.packets.size() == 20);
        CHECK(all.packets[0]->access != core::random_access::none);
        std::uint32_t expected = 0;
        for (const auto& outcome : decode_all(all)) {
          REQUIRE(outcome.frame);
          const auto code = read_barcode((*outcome.frame)->view);
          REQUIRE(code);
          CHECK(*code == barcode{513, expected});
          const auto time = all.packets[outcome.key]->pts;
          CHECK(std::chrono::abs(time - core::media_time{expected * 40'000LL}) < std::chrono::milliseconds{1});
          ++expected;
        }
        CHECK(expected == 20);
      }
    }
  }
}

TEST_CASE("a synthetic stream has the same packets whenever it is opened, whatever memory held before") {
  const auto packets = [](const std::string& uri, int before) {
    mallopt(M_PERTURB, before);
    const auto all = record(uri);
    mallopt(M_PERTURB, 0);
    std::vector<std::vector<std::byte>> bytes;
    for (const auto& packet : all.packets) bytes.emplace_back(packet->bytes.begin(), packet->bytes.end());
    return bytes;
  };
  for (const auto* codec : {"h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "png"}) {
    for (const auto* more : {"&width=640&height=360", "&width=322&height=182&bframes=0", "&bitrate=300000"}) {
      const auto uri = std::string{"synthetic://?frames=30&gop=12&codec="} + codec + more;
      INFO(uri);
      const auto first = packets(uri, 1), second = packets(uri, 254);
      CHECK(first.size() == 30);
      CHECK((first == second)); // without printing them
    }
  }
}

TEST_CASE("the bar code survives strong compression") {
  for (const auto* codec : {"h264", "mpeg4", "vp9"}) {
    const auto all = record(std::string{"synthetic://?frames=30&width=640&height=360&bitrate=60000&codec="} + codec);
    std::size_t read = 0, bytes = 0;
    for (const auto& packet : all.packets) bytes += packet->bytes.size();
    for (const auto& outcome : decode_all(all))
      read += outcome.frame && read_barcode((*outcome.frame)->view).has_value();
    INFO(codec << ": " << bytes << " bytes");
    CHECK(read == 30);
  }
}

TEST_CASE("a picture without a bar code gives none") {
  synthetic_options options;
  const auto frame = draw_scene(options, 5);
  auto view = frame->view;
  CHECK(read_barcode(view) == barcode{0, 5});
  view.planes[0] += 8 * 12;
  view.width_px -= 8 * 12;
  CHECK_FALSE(read_barcode(view));
  for (const int level : {0, 16, 128, 255}) {
    const std::vector<std::uint8_t> flat(640 * 360, static_cast<std::uint8_t>(level));
    core::frame_view gray{.width_px = 640, .height_px = 360, .format = core::pixel_format::gray8};
    gray.planes[0] = flat.data();
    gray.strides_bytes[0] = 640;
    CHECK_FALSE(read_barcode(gray));
    gray.width_px = 20;
    CHECK_FALSE(read_barcode(gray));
  }
}

TEST_CASE("the same seed draws the same scene, and the scene moves") {
  synthetic_options options;
  options.seed = 4;
  const auto sum = [&](std::uint32_t frame) { return checksum(draw_scene(options, frame)->view); };
  CHECK(sum(3) == sum(3));
  CHECK(sum(3) != sum(4));
  const auto before = sum(3);
  options.seed = 5;
  CHECK(sum(3) != before);
}

TEST_CASE("a wrong parameter of a synthetic source is named with its value and what is allowed") {
  for (const auto* uri :
       {"synthetic://?width=63", "synthetic://?width=65", "synthetic://?frames=-1", "synthetic://?fps=x",
        "synthetic://?codec=h265", "synthetic://?size=4", "synthetic://?live=yes", "synthetic://host"}) {
    INFO(uri);
    const auto parsed = parse_synthetic_uri(uri);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == core::errc::invalid_argument);
  }
  const auto parsed = parse_synthetic_uri("synthetic://?width=128&open_gop=1&stream=7");
  REQUIRE(parsed);
  CHECK(parsed->width_px == 128);
  CHECK(parsed->open_gop);
  CHECK(parsed->stream == 7);
  CHECK(parse_synthetic_uri("synthetic://"));
}
