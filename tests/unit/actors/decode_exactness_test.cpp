#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "actors/decode.hpp"
#include "dispatch/segmenter.hpp"
#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::actors;

namespace {

/// Checksums of frames by the packet they come from.
using checksums = std::map<const core::packet*, std::uint32_t>;

struct cut_segment {
  open_segment lease;
  segment_packets packets;
};

std::vector<cut_segment> cut(const media::test::recording& all) {
  std::vector<dispatch::segment_event> events;
  dispatch::segmenter segmenter{all.codecs.at(0)};
  for (const auto& packet : all.packets) segmenter.push(packet, events);
  segmenter.finish(events);
  std::vector<cut_segment> segments;
  for (const auto& event : events) {
    if (const auto* opened = std::get_if<dispatch::segment_opened>(&event)) {
      const core::segment_id id{{0}, 0, opened->number};
      segments.push_back({{id, opened->codec, false}, {id, {}}});
    } else if (const auto* appended = std::get_if<dispatch::segment_appended>(&event)) {
      segments.at(appended->number).packets.packets.push_back({appended->ordinal, appended->owned, appended->packet});
    }
  }
  return segments;
}

/// Decodes segments, so many at a time, each with an actor of its own.
struct decoding {
  std::vector<cut_segment> segments;
  std::size_t next = 0;
  std::size_t done = 0;
  std::mutex mutex; ///< guards `sums`
  checksums sums;
  std::size_t refused = 0;
  std::promise<void> finished;
  decode_config config;
};

preprocess_actor::behavior_type record_frames(preprocess_actor::pointer, decoding* all) {
  return {
      [all](const frame_task& task) {
        const auto sum = media::test::checksum(task.frame->view);
        const auto& packet = all->segments.at(task.id.segment.number).packets.packets.at(task.id.ordinal).packet;
        const std::lock_guard lock{all->mutex};
        all->sums[packet.get()] = sum;
      },
  };
}

using lessor =
    caf::typed_actor<caf::reacts_to<frame_outcomes>, caf::reacts_to<decode_finished>, caf::reacts_to<decode_failed>>;

lessor::behavior_type lease_segments(lessor::pointer self, decoding* all, preprocess_actor frames,
                                     std::size_t at_once) {
  const auto lease_next = [self, all, frames] {
    if (all->next == all->segments.size()) return;
    const auto& segment = all->segments[all->next++];
    const auto decoder = self->spawn(decode, all->config, segment.lease, frames, worker_inbox{self});
    self->send(decoder, segment.packets);
    self->send(decoder, close_segment{segment.lease.segment});
  };
  for (std::size_t i = 0; i < at_once; ++i) lease_next();
  const auto one_done = [self, all, lease_next] {
    lease_next();
    if (++all->done < all->segments.size()) return;
    all->finished.set_value();
    self->quit();
  };
  return {
      [all](const frame_outcomes& message) { all->refused += message.outcomes.size(); },
      [one_done](const decode_finished&) { one_done(); },
      [all, one_done](const decode_failed&) {
        ++all->refused;
        one_done();
      },
  };
}

checksums decode_on_actors(const media::test::recording& clip, std::size_t at_once) {
  decoding all;
  all.segments = cut(clip);
  all.config.credits =
      std::make_shared<credit_pool>(3, metrics::gauge{}); // scarce, so that decoders wait for each other
  all.config.busy = std::make_shared<busy_decoders>();
  {
    caf::actor_system_config config;
    config.set("scheduler.max-threads", std::uint64_t{4});
    caf::actor_system system{config};
    auto frames = system.spawn(record_frames, &all);
    auto lender = system.spawn(lease_segments, &all, frames, at_once);
    all.finished.get_future().wait();
    lender = nullptr;
    caf::anon_send_exit(frames, caf::exit_reason::user_shutdown); // behind the last frame in its mailbox
  }
  CHECK(all.refused == 0);
  CHECK(all.config.busy->count() == 0);
  CHECK(all.config.credits->available() == 3);
  return all.sums;
}

checksums decode_in_sequence(const media::test::recording& clip) {
  auto decoder = media::decoder::open(*clip.codecs.at(0));
  REQUIRE(decoder);
  checksums sums;
  const auto collect = [&] {
    while (const auto out = decoder->receive())
      if (out->frame) sums[clip.packets.at(out->key).get()] = media::test::checksum((*out->frame)->view);
  };
  for (std::size_t i = 0; i < clip.packets.size(); ++i) {
    REQUIRE(decoder->send(*clip.packets[i], i));
    collect();
  }
  decoder->flush();
  collect();
  return sums;
}

} // namespace

TEST_CASE("one, two and four decode actors give bit for bit the frames of one decoder in sequence",
          "[actors][scheduler]") {
  const auto [name, encoding] = GENERATE(values<std::pair<std::string, std::string>>({
      {"actors-h264.mp4", "-c:v libx264 -g 12 -bf 3"},
      {"actors-h264-open.mp4", "-c:v libx264 -x264-params open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0"},
      {"actors-hevc-open.mp4", "-c:v libx265 -x265-params log-level=none:keyint=12:min-keyint=12:scenecut=0"},
      {"actors-vp9.webm", "-c:v libvpx-vp9 -g 12 -keyint_min 12 -deadline good -cpu-used 8 -lag-in-frames 10"},
      {"actors-mpeg4.mp4", "-c:v mpeg4 -bf 2 -g 12 -q:v 3"},
      {"actors-mjpeg.avi", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"},
      {"actors-av1.mkv", "-c:v libaom-av1 -cpu-used 8 -row-mt 0 -g 12 -keyint_min 12 -lag-in-frames 10 -crf 40"},
  }));
  INFO(name);
  const auto clip = media::test::record(media::test::clip(name, encoding));
  const auto expected = decode_in_sequence(clip);
  REQUIRE(expected.size() == 48);
  REQUIRE(cut(clip).size() >= 4);
  for (const std::size_t at_once : {1U, 2U, 4U}) CHECK(decode_on_actors(clip, at_once) == expected);
}
