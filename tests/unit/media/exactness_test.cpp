#include <algorithm>
#include <map>
#include <set>

#include "dispatch/segmenter.hpp"
#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;

namespace {

struct sample {
  const char* name;
  const char* encoding;
  std::size_t segments; ///< that its 48 frames must give, 0: any number from 2
  bool skippable;       ///< has frames that nothing refers to
};

const std::vector<sample>& samples() {
  static const std::vector<sample> all{
      {"h264-bframes.mp4", "-c:v libx264 -g 12 -bf 3", 4, true},
      {"h264-bframes.ts", "-c:v libx264 -g 12 -bf 3", 4, true},
      {"h264-open.mp4", "-c:v libx264 -x264-params open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0", 4, true},
      {"h264-open.ts", "-c:v libx264 -x264-params open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0", 4, true},
      {"h264-open-refs.mkv",
       "-c:v libx264 -x264-params "
       "open-gop=1:keyint=10:bframes=5:b-pyramid=normal:ref=8:weightp=2:direct=temporal:b-adapt=0",
       0, true},
      {"h264-baseline.mp4", "-c:v libx264 -profile:v baseline -pix_fmt yuv420p -g 16", 3, false},
      {"h264-refresh.mp4", "-c:v libx264 -x264-params intra-refresh=1:keyint=12", 1, true},
      {"h264-interlaced.ts", "-c:v libx264 -flags +ildct+ilme -x264-params tff=1:keyint=12:bframes=2", 0, true},
      {"hevc-open.mp4", "-c:v libx265 -x265-params log-level=none:keyint=12:min-keyint=12:scenecut=0", 4, true},
      {"hevc-open.ts", "-c:v libx265 -x265-params log-level=none:keyint=12:min-keyint=12:scenecut=0", 4, true},
      {"hevc-closed.mkv", "-c:v libx265 -x265-params log-level=none:keyint=12:open-gop=0:scenecut=0", 4, true},
      {"hevc-radl.mp4", "-c:v libx265 -x265-params log-level=none:keyint=12:open-gop=0:radl=2:scenecut=0", 4, true},
      {"hevc-layers.mp4", "-c:v libx265 -x265-params log-level=none:keyint=12:temporal-layers=1:scenecut=0", 4, true},
      {"vp8.webm", "-c:v libvpx -g 12 -keyint_min 12 -auto-alt-ref 1 -lag-in-frames 8 -b:v 200k", 4, false},
      {"vp9.webm", "-c:v libvpx-vp9 -g 12 -keyint_min 12 -deadline good -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 10",
       4, false},
      {"mpeg4.avi", "-c:v mpeg4 -bf 2 -g 12 -q:v 3 -sc_threshold 1000000000", 0, true},
      {"mpeg4.mp4", "-c:v mpeg4 -bf 2 -g 12 -q:v 3 -sc_threshold 1000000000", 0, true},
      {"mpeg4-closed.mp4", "-c:v mpeg4 -bf 2 -g 12 -q:v 3 -sc_threshold 1000000000 -flags +cgop", 0, true},
      {"xvid.avi", "-c:v libxvid -bf 2 -g 12 -q:v 3", 0, true}, // two frames in one packet, decode times only
      {"mpeg2.ts", "-c:v mpeg2video -bf 2 -g 12 -q:v 3 -sc_threshold 1000000000", 0, true},
      {"mjpeg.avi", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p", 48, true},
      {"av1.mkv", "-c:v libaom-av1 -cpu-used 8 -row-mt 0 -g 12 -keyint_min 12 -lag-in-frames 10 -crf 40", 4, false},
      {"gray.mkv", "-c:v libx264 -pix_fmt gray -g 12", 4, true},
      {"yuv422.mkv", "-c:v libx264 -pix_fmt yuv422p -g 12", 4, true},
      {"yuv444.mkv", "-c:v libx264 -pix_fmt yuv444p -g 12", 4, true},
      {"ffv1.mkv", "-c:v ffv1 -pix_fmt yuv420p -g 1", 0, false},
  };
  return all;
}

using sums_by_packet = std::map<const core::packet*, std::uint32_t>;

/// Decodes each segment with a decoder of its own.
sums_by_packet decode_by_segments(const recording& all, std::size_t& segments) {
  std::vector<dispatch::segment_event> events;
  dispatch::segmenter cut{all.codecs.at(0)};
  for (const auto& packet : all.packets) cut.push(packet, events);
  cut.finish(events);

  struct open_segment {
    decoder decode;
    std::vector<core::packet_ptr> packets;
  };
  std::map<std::uint64_t, open_segment> open;
  sums_by_packet sums;
  const auto collect = [&](open_segment& segment) {
    while (const auto outcome = segment.decode.receive())
      if (outcome->frame) sums[segment.packets.at(outcome->key).get()] = checksum((*outcome->frame)->view);
  };
  for (const auto& event : events) {
    if (const auto* o = std::get_if<dispatch::segment_opened>(&event)) {
      auto made = decoder::open(*o->codec);
      REQUIRE(made);
      open.emplace(o->number, open_segment{std::move(*made), {}});
      ++segments;
    } else if (const auto* a = std::get_if<dispatch::segment_appended>(&event)) {
      auto& segment = open.at(a->number);
      REQUIRE(segment.packets.size() == a->ordinal);
      segment.packets.push_back(a->packet);
      REQUIRE(segment.decode.send(*a->packet, a->ordinal, a->owned));
      collect(segment);
    } else if (const auto* c = std::get_if<dispatch::segment_closed>(&event)) {
      auto& segment = open.at(c->number);
      segment.decode.flush();
      collect(segment);
      open.erase(c->number);
    }
  }
  return sums;
}

/// The checksums in presentation order.
std::vector<std::uint32_t> in_order(const sums_by_packet& sums) {
  std::vector<std::pair<core::media_time, std::uint32_t>> sorted;
  for (const auto& [packet, sum] : sums) sorted.emplace_back(packet->pts, sum);
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::uint32_t> result;
  for (const auto& entry : sorted) result.push_back(entry.second);
  return result;
}

} // namespace

TEST_CASE("frames decoded in sequence and by segments are those of ffmpeg, bit for bit") {
  for (const auto& s : samples()) {
    INFO(s.name);
    const auto path = clip(s.name, s.encoding);
    const auto expected = ffmpeg_checksums(path);
    REQUIRE(expected.size() >= 46); // xvid leaves two out
    const auto all = record(path);
    CHECK(all.errors.empty());

    sums_by_packet sequential;
    for (const auto& outcome : decode_all(all)) {
      REQUIRE(outcome.frame);
      sequential[all.packets.at(outcome.key).get()] = checksum((*outcome.frame)->view);
    }
    CHECK(in_order(sequential) == expected);

    std::size_t segments = 0;
    const auto parallel = decode_by_segments(all, segments);
    std::string missing;
    for (std::size_t i = 0; i < all.packets.size(); ++i)
      if (!parallel.contains(all.packets[i].get())) missing.append(std::to_string(i)).append(" ");
    INFO("packets without a frame: " << missing);
    CHECK(in_order(parallel) == expected);
    CHECK(parallel == sequential);
    if (s.segments != 0)
      CHECK(segments == s.segments);
    else
      CHECK(segments >= 2);
  }
}

TEST_CASE("leaving out disposable frames does not change the others") {
  for (const auto& s : samples()) {
    INFO(s.name);
    const auto all = record(clip(s.name, s.encoding));
    std::map<std::uint64_t, std::uint32_t> full;
    for (const auto& outcome : decode_all(all)) full[outcome.key] = checksum((*outcome.frame)->view);

    auto thin = decoder::open(*all.codecs.at(0));
    REQUIRE(thin);
    std::vector<decoded> outcomes;
    std::size_t wanted = 0, skipped = 0;
    for (std::size_t i = 0; i < all.packets.size(); ++i) {
      const bool want = !all.packets[i]->disposable || i % 5 == 0;
      wanted += want && all.packets[i]->shown;
      skipped += !want;
      REQUIRE(thin->send(*all.packets[i], i, want));
      take(*thin, outcomes);
    }
    thin->flush();
    take(*thin, outcomes);
    CHECK(outcomes.size() == wanted);
    CHECK((skipped > 0) == s.skippable);
    for (const auto& outcome : outcomes) {
      REQUIRE(outcome.frame);
      CHECK(checksum((*outcome.frame)->view) == full.at(outcome.key));
    }
  }
}

TEST_CASE("a decoder that was flushed starts again at any random access point") {
  const auto all = record(clip(samples()[0].name, samples()[0].encoding));
  std::map<std::uint64_t, std::uint32_t> full;
  for (const auto& outcome : decode_all(all)) full[outcome.key] = checksum((*outcome.frame)->view);
  auto again = decoder::open(*all.codecs.at(0));
  REQUIRE(again);
  std::vector<decoded> outcomes;
  for (std::size_t i = 0; i < all.packets.size(); ++i) {
    if (i > 0 && all.packets[i]->access == core::random_access::closed) again->flush();
    REQUIRE(again->send(*all.packets[i], i));
    take(*again, outcomes);
  }
  again->flush();
  take(*again, outcomes);
  REQUIRE(outcomes.size() == all.packets.size());
  for (const auto& outcome : outcomes) CHECK(checksum((*outcome.frame)->view) == full.at(outcome.key));
}

TEST_CASE("packet times are set, unique, from zero, and decode times never decrease") {
  for (const auto& s : samples()) {
    INFO(s.name);
    const auto all = record(clip(s.name, s.encoding));
    std::set<core::media_time> seen;
    core::media_time last{-1'000'000};
    for (const auto& packet : all.packets) {
      CHECK(seen.insert(packet->pts).second);
      CHECK(packet->dts >= last);
      last = packet->dts;
    }
    CHECK(std::chrono::abs(*seen.begin()) < std::chrono::milliseconds{130});
    CHECK(*seen.rbegin() > std::chrono::milliseconds{1900});
    CHECK(*seen.rbegin() < std::chrono::milliseconds{2100});
  }
}
