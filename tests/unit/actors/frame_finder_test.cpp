#include "actors/frame_finder.hpp"

#include <map>
#include <variant>
#include <vector>

#include "dispatch/segmenter.hpp"
#include "media/source.hpp"
#include "media/synthetic.hpp"
#include "tests/catch.hpp"

using namespace penstock;

namespace {

/// All packets of a synthetic clip, cut into segments, in sending order; and the frames in presentation order.
struct clip {
  std::vector<actors::sink_packet> packets;
  std::vector<core::result_id> frames;

  explicit clip(const std::string& uri) {
    media::source_options options;
    options.uri = uri;
    auto source = media::open_source(options);
    INFO((source ? std::string{} : source.error().message));
    REQUIRE(source.has_value());
    dispatch::segmenter segmenter{(*source)->codec()};
    std::vector<dispatch::segment_event> events;
    while (auto packet = (*source)->read()) segmenter.push(*packet, events);
    segmenter.finish(events);

    std::map<std::uint64_t, std::map<core::media_time, std::uint32_t>> shown;
    for (const auto& event : events) {
      const auto* appended = std::get_if<dispatch::segment_appended>(&event);
      if (appended == nullptr) continue;
      packets.push_back(
          {{{0}, 0, appended->number}, (*source)->codec(), {appended->ordinal, appended->owned, appended->packet}});
      if (appended->owned) shown[appended->number][appended->packet->pts] = appended->ordinal;
    }
    for (const auto& [number, ordinals] : shown) {
      for (const auto& [pts, ordinal] : ordinals) frames.push_back({{{0}, 0, number}, ordinal});
    }
  }
};

} // namespace

TEST_CASE("the frames of results are found again, with B-frames and across open groups of pictures", "[actors]") {
  const auto* const uri =
      GENERATE("synthetic://?frames=60&gop=12&bframes=2&codec=h264",
               "synthetic://?frames=60&gop=12&bframes=2&codec=hevc&open_gop=1", "synthetic://?frames=20&codec=mjpeg");
  const clip c{uri};
  actors::frame_finder finder{{}};
  for (const auto& packet : c.packets) finder.add(packet);
  std::uint32_t number = 0;
  for (const auto& id : c.frames) {
    const auto frame = finder.find(id);
    REQUIRE(frame.has_value());
    const auto code = media::read_barcode((*frame)->view);
    REQUIRE(code.has_value());
    CHECK(code->frame == number++);
  }
  CHECK(number == c.frames.size());
}

TEST_CASE("frames that nobody asks for are skipped, and packets may come as late as their results", "[actors]") {
  const clip c{"synthetic://?frames=50&gop=10&bframes=2&codec=h264"};
  actors::frame_finder finder{{}};
  std::size_t given = 0;
  for (std::uint32_t number = 3; number < c.frames.size(); number += 7) {
    const auto& id = c.frames[number];
    for (; given < c.packets.size() && c.packets[given].segment <= id.segment; ++given) finder.add(c.packets[given]);
    const auto frame = finder.find(id);
    REQUIRE(frame.has_value());
    CHECK(media::read_barcode((*frame)->view)->frame == number);
  }
}

TEST_CASE("a frame without packets is an error, not a wrong picture", "[actors]") {
  const clip c{"synthetic://?frames=20&gop=10&codec=h264"};
  actors::frame_finder finder{{}};
  CHECK(finder.find(c.frames.front()).error().code == core::errc::not_found);
  for (const auto& packet : c.packets) {
    if (packet.packet.ordinal != c.frames[5].ordinal) finder.add(packet);
  }
  CHECK_FALSE(finder.find(c.frames[5]).has_value());
}
