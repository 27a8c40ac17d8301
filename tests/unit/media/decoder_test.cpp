#include "media/decoder.hpp"

#include <cstring>

#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;
using core::pixel_format;

TEST_CASE("pixel formats that the house has come as they are, others as the nearest it has") {
  struct row {
    const char* encoding;
    const char* name;
    pixel_format format;
    core::color_range range;
  };
  using enum core::color_range;
  for (const auto& r :
       {row{"-c:v libx264 -pix_fmt yuv420p", "p0.mkv", pixel_format::i420, limited},
        row{"-c:v libx264 -pix_fmt yuv422p", "p1.mkv", pixel_format::i422, limited},
        row{"-c:v libx264 -pix_fmt yuv444p", "p2.mkv", pixel_format::i444, limited},
        row{"-c:v libx264 -pix_fmt nv12", "p3.mkv", pixel_format::i420, limited},
        row{"-c:v rawvideo -pix_fmt nv12", "p4.nut", pixel_format::nv12, limited},
        row{"-c:v rawvideo -pix_fmt yuyv422", "p5.nut", pixel_format::i422, limited},
        row{"-c:v libx264 -pix_fmt yuv420p10le", "p6.mkv", pixel_format::i420, limited},
        row{"-c:v libx265 -x265-params log-level=none -pix_fmt yuv422p10le", "p7.mkv", pixel_format::i422, limited},
        row{"-c:v mjpeg -pix_fmt yuvj444p", "p8.avi", pixel_format::i444, full},
        row{"-c:v ffv1 -pix_fmt yuv411p", "p9.mkv", pixel_format::i420, limited},
        row{"-c:v ffv1 -pix_fmt yuv440p", "p10.mkv", pixel_format::i444, limited},
        row{"-c:v ffv1 -pix_fmt gray16le", "p11.mkv", pixel_format::gray8, limited},
        row{"-c:v png -pix_fmt rgb24", "p12.mkv", pixel_format::rgb24, limited},
        row{"-c:v png -pix_fmt rgba", "p13.mkv", pixel_format::rgb24, limited},
        row{"-c:v png -pix_fmt pal8", "p14.mkv", pixel_format::rgb24, limited},
        row{"-c:v libx264rgb -pix_fmt rgb24", "p15.mkv", pixel_format::rgb24, limited},
        row{"-c:v rawvideo -pix_fmt bgr24", "p16.nut", pixel_format::bgr24, limited}}) {
    INFO(r.encoding);
    const auto all = record(clip(r.name, std::string{r.encoding} + " -frames:v 3"));
    const auto outcomes = decode_all(all);
    REQUIRE(outcomes.size() == 3);
    for (const auto& outcome : outcomes) {
      REQUIRE(outcome.frame);
      const auto& view = (*outcome.frame)->view;
      CHECK(view.width_px == 192);
      CHECK(view.height_px == 108);
      CHECK(view.format == r.format);
      if (r.format != pixel_format::rgb24 && r.format != pixel_format::bgr24 && r.format != pixel_format::gray8)
        CHECK(view.range == r.range);
    }
  }
}

TEST_CASE("colour matrix and range are those the stream names, and BT.601 limited where it names none") {
  const auto view_of = [](const char* name, const char* encoding) {
    return (*decode_all(record(clip(name, encoding))).at(0).frame)->view;
  };
  const auto hd =
      view_of("c709.mkv", "-c:v libx264 -colorspace bt709 -color_range pc -vf scale=out_range=full -frames:v 2");
  CHECK(hd.matrix == core::color_matrix::bt709);
  CHECK(hd.range == core::color_range::full);
  const auto none = view_of("cnone.mkv", "-c:v libx264 -frames:v 2 -s 1280x720");
  CHECK(none.matrix == core::color_matrix::bt601);
  CHECK(none.range == core::color_range::limited);
}

TEST_CASE("frames outlive their decoder, and packets their source") {
  const auto expected = ffmpeg_checksums(clip("small.mp4", "-c:v libx264 -g 12 -bf 2"));
  std::vector<decoded> outcomes;
  {
    const auto all = record(clip("small.mp4", ""));
    outcomes = decode_all(all);
  }
  REQUIRE(outcomes.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(checksum((*outcomes[i].frame)->view) == expected[i]);
}

TEST_CASE("threads inside a decoder change nothing; less effort changes pixels and nothing else") {
  for (const auto& [name, encoding] :
       {std::pair{"effort.mp4", "-c:v libx264 -g 24 -bf 3 -crf 40 -x264-params slices=4:b-adapt=0"},
        std::pair{"effort-av1.mkv", "-c:v libaom-av1 -cpu-used 8 -row-mt 0 -g 12 -crf 40"}}) {
    const auto all = record(clip(name, encoding));
    const auto sums = [&](const decode_options& options) {
      std::vector<std::uint32_t> result;
      for (const auto& outcome : decode_all(all, options)) result.push_back(checksum((*outcome.frame)->view));
      return result;
    };
    const auto exact = sums({});
    CHECK(exact.size() == 48);
    CHECK(sums({.threads = 3}) == exact);
    const auto fast = sums({.effort = decode_effort::fast});
    CHECK(fast.size() == 48);
    if (std::string{name} == "effort.mp4") CHECK(fast != exact);
  }
}

TEST_CASE("a packet that the transport damaged gives no frame, and those behind it do") {
  const auto all = record(clip("pictures.avi", "-c:v mjpeg"));
  auto decode = decoder::open(*all.codecs[0]);
  REQUIRE(decode);
  std::vector<decoded> outcomes;
  for (std::size_t i = 0; i < 5; ++i) {
    auto packet = *all.packets[i];
    packet.damaged = i == 2;
    if (i == 3) packet.bytes = {};
    REQUIRE(decode->send(packet, 100 + i));
    take(*decode, outcomes);
  }
  REQUIRE(outcomes.size() == 5);
  for (const auto& outcome : outcomes) {
    CHECK(outcome.frame.has_value() == (outcome.key != 102 && outcome.key != 103));
    if (!outcome.frame) CHECK(outcome.frame.error().code == core::errc::corrupt);
  }
}

TEST_CASE("a lost packet does not hold up the outcomes behind it until the end") {
  const auto all = record(clip("gop.mp4", "-c:v libx264 -g 48 -bf 0"));
  auto decode = decoder::open(*all.codecs[0]);
  REQUIRE(decode);
  std::vector<decoded> outcomes;
  for (std::size_t i = 0; i < all.packets.size(); ++i) {
    auto packet = *all.packets[i];
    if (i == 5) { // an access unit delimiter alone: valid, and no picture
      static const std::vector<unsigned char> unit = [] {
        std::vector<unsigned char> bytes{0, 0, 0, 2, 9, 0xf0};
        bytes.resize(6 + core::packet_padding_bytes);
        return bytes;
      }();
      packet.bytes = {reinterpret_cast<const std::byte*>(unit.data()), 6};
    }
    REQUIRE(decode->send(packet, i));
    take(*decode, outcomes);
  }
  const auto lost = std::find_if(outcomes.begin(), outcomes.end(), [](const decoded& d) { return d.key == 5; });
  REQUIRE(lost != outcomes.end());
  CHECK_FALSE(lost->frame);
}

TEST_CASE("codecs without a decoder, and sizes beyond the limit, are refused at once") {
  core::codec_description d;
  d.codec = "no-such-codec";
  CHECK(decoder::open(d).error().code == core::errc::unsupported);
  d.codec = "h264";
  d.width_px = d.height_px = 10'000;
  CHECK(decoder::open(d).error().code == core::errc::too_large);
  const auto all = record(clip("big.mkv", "-c:v libaom-av1 -cpu-used 8 -frames:v 2"));
  d = *all.codecs[0];
  d.extradata.clear(); // the sequence header is in the packet as well
  d.width_px = d.height_px = 0;
  auto decode = decoder::open(d, {.max_pixels = 100});
  REQUIRE(decode);
  REQUIRE(decode->send(*all.packets[0], 0));
  const auto outcome = decode->receive();
  REQUIRE(outcome);
  CHECK(outcome->frame.error().code == core::errc::too_large);
}
