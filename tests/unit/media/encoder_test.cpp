#include "media/encoder.hpp"

#include <cmath>

#include "media/annotate.hpp"
#include "media/synthetic.hpp"
#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;

namespace {

core::frame_ptr scene(int width, int height, std::uint32_t number = 3) {
  synthetic_options options;
  options.width_px = width;
  options.height_px = height;
  return draw_scene(options, number);
}

core::frame_ptr decode_picture(std::vector<std::byte> bytes, const char* codec) {
  core::codec_description d;
  d.codec = codec;
  const auto size = bytes.size();
  bytes.resize(size + core::packet_padding_bytes);
  auto owner = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  core::packet packet;
  packet.bytes = {owner->data(), size};
  packet.owner = owner;
  auto decode = decoder::open(d);
  REQUIRE(decode);
  REQUIRE(decode->send(packet, 0));
  decode->flush();
  auto outcome = decode->receive();
  REQUIRE(outcome);
  REQUIRE(outcome->frame);
  return *outcome->frame;
}

double mean_difference(const core::frame_view& a, const core::frame_view& b) {
  double sum = 0;
  for (int y = 0; y < a.height_px; ++y)
    for (int x = 0; x < a.width_px; ++x)
      sum += std::abs(a.planes[0][y * a.strides_bytes[0] + x] - b.planes[0][y * b.strides_bytes[0] + x]);
  return sum / a.width_px / a.height_px;
}

std::string probe(const std::string& path) {
  return output_of("ffprobe -v error -count_frames -select_streams v -show_entries "
                   "stream=codec_name,width,height,nb_read_frames,r_frame_rate -of csv=p=0 " +
                   path);
}

} // namespace

TEST_CASE("a picture encoded as JPEG or PNG is the picture") {
  const auto frame = scene(322, 182);
  const auto png = encode_png(frame->view);
  REQUIRE(png);
  const auto from_png = decode_picture(*png, "png");
  CHECK(from_png->view.format == core::pixel_format::rgb24);
  CHECK(read_barcode(from_png->view) == barcode{0, 3});

  std::size_t last = SIZE_MAX;
  for (const int quality : {95, 75, 30, 1}) {
    const auto jpeg = encode_jpeg(frame->view, quality);
    REQUIRE(jpeg);
    CHECK(jpeg->size() < last);
    last = jpeg->size();
    const auto back = decode_picture(*jpeg, "mjpeg");
    CHECK(back->view.range == core::color_range::full);
    CHECK(read_barcode(back->view) == barcode{0, 3});
    if (quality < 75) continue;
    const auto again = encode_png(back->view); // both as RGB
    REQUIRE(again);
    const auto rgb = decode_picture(*again, "png");
    CHECK(mean_difference(rgb->view, from_png->view) < 6);
  }
  CHECK(encode_jpeg(frame->view, 0).error().code == core::errc::invalid_argument);
  CHECK(encode_png({}).error().code == core::errc::invalid_argument);
}

TEST_CASE("a written MP4 plays, keeps its times, and scales a frame of another size") {
  const auto path = folder() / "written.mp4";
  auto writer = mp4_writer::open({.path = path, .width_px = 323, .height_px = 181, .frames_per_s = 20});
  REQUIRE(writer);
  for (std::uint32_t i = 0; i < 100; ++i) {
    const auto frame = i % 10 == 9 ? scene(640, 360, i) : scene(322, 180, i);
    REQUIRE(writer->write(frame->view, std::chrono::seconds{5} + core::media_time{i * 50'000LL}));
  }
  REQUIRE(writer->close());
  REQUIRE(writer->close());
  CHECK(probe(path) == "h264,322,180,20/1,100\n");
  const auto all = record(path);
  std::size_t i = 0;
  for (const auto& outcome : decode_all(all)) {
    REQUIRE(outcome.frame);
    if (i % 10 != 9) CHECK(read_barcode((*outcome.frame)->view) == barcode{0, static_cast<std::uint32_t>(i)});
    CHECK(std::chrono::abs(all.packets[outcome.key]->pts - core::media_time{static_cast<std::int64_t>(i) * 50'000}) <
          std::chrono::milliseconds{1});
    ++i;
  }
  CHECK(i == 100);
}

TEST_CASE("what an MP4 writer wrote before a crash plays") {
  const auto path = folder() / "crashed.mp4";
  auto writer = mp4_writer::open({.path = path, .frames_per_s = 10});
  REQUIRE(writer);
  for (std::uint32_t i = 0; i < 90; ++i)
    REQUIRE(writer->write(scene(128, 96, i)->view, core::media_time{i * 100'000LL}));
  fs::copy_file(path, folder() / "copy.mp4", fs::copy_options::overwrite_existing);
  CHECK(record(folder() / "copy.mp4").packets.size() >= 40);
}

TEST_CASE("a full disk and an impossible path are errors of input and output") {
  CHECK(mp4_writer::open({.path = folder() / "absent/film.mp4"}).error().code == core::errc::io);
  auto writer = mp4_writer::open({.path = "/dev/full", .frames_per_s = 10});
  REQUIRE(writer);
  core::expected<void> done;
  for (std::uint32_t i = 0; i < 200 && done; ++i)
    done = writer->write(scene(128, 96, i)->view, core::media_time{i * 100'000LL});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == core::errc::io);
  CHECK(done.error().message.find("/dev/full") != std::string::npos);
  CHECK_FALSE(writer->write(scene(128, 96)->view, {}));
  CHECK(mp4_writer::open({.path = folder() / "a.mp4", .frames_per_s = 0}).error().code == core::errc::invalid_argument);
}

TEST_CASE("objects are drawn where they are, on a copy") {
  const auto frame = scene(640, 360);
  const auto before = checksum(frame->view);
  const std::vector<std::string> labels{"person"};
  const std::vector<core::detection> objects{{0, 0.87F, {300, 150, 120, 160}, 12},
                                             {5, 0.3F, {-40, 300, 4000, 900}, -1}};
  const auto drawn = annotate(frame->view, objects, labels);
  REQUIRE(drawn);
  CHECK(checksum(frame->view) == before);
  const auto& view = (*drawn)->view;
  CHECK(view.format == core::pixel_format::i420);
  const auto changed = [&](int x, int y) {
    return view.planes[0][y * view.strides_bytes[0] + x] != frame->view.planes[0][y * frame->view.strides_bytes[0] + x];
  };
  CHECK(changed(301, 200));       // left edge
  CHECK(changed(360, 308));       // lower edge
  CHECK(changed(310, 140));       // plate
  CHECK_FALSE(changed(360, 230)); // inside
  CHECK_FALSE(changed(500, 100)); // outside
  const auto none = annotate(frame->view, {}, labels);
  REQUIRE(none);
  CHECK(checksum((*none)->view) == before);
  CHECK_FALSE(annotate({}, objects, labels));
}
