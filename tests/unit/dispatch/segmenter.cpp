#include "dispatch/segmenter.hpp"

#include <map>
#include <set>
#include <sstream>
#include <string>

#include "tests/catch.hpp"
#include "tests/simulation/gop_generator.hpp"
#include "tests/unit/dispatch/packets.hpp"

using namespace penstock;
using namespace penstock::dispatch;
using core::random_access;
using test::make_codec;
using test::make_packet;

namespace {

/// Events as text: "[0" opened, "0:40" owned, "0(40)" decode only, "0]" closed, "x40" refused.
std::string text(const std::vector<segment_event>& events) {
  std::ostringstream line;
  const auto ms = [](const core::packet_ptr& p) { return p->pts.count() / 1000; };
  for (const auto& event : events) {
    if (line.tellp() > 0) line << ' ';
    if (const auto* o = std::get_if<segment_opened>(&event)) line << '[' << o->number;
    if (const auto* a = std::get_if<segment_appended>(&event)) {
      line << a->number;
      if (a->owned)
        line << ':' << ms(a->packet);
      else
        line << '(' << ms(a->packet) << ')';
    }
    if (const auto* c = std::get_if<segment_closed>(&event)) line << c->number << ']';
    if (const auto* r = std::get_if<packet_refused>(&event)) line << 'x' << ms(r->packet);
  }
  return line.str();
}

struct feed {
  segmenter cutter{make_codec()};
  std::vector<segment_event> events;

  feed& push(std::int64_t pts_ms, random_access access = random_access::none) {
    cutter.push(make_packet(pts_ms, access), events);
    return *this;
  }
  std::string finish() {
    cutter.finish(events);
    return text(events);
  }
};

constexpr auto closed = random_access::closed;
constexpr auto open = random_access::open;

} // namespace

TEST_CASE("packets before the first random access point are refused") {
  CHECK(feed{}.push(0).push(40).push(80, closed).finish() == "x0 x40 [0 0:80 0]");
}

TEST_CASE("a closed keyframe ends the segment at once and begins the next") {
  CHECK(feed{}.push(0, closed).push(40).push(80, closed).push(120).finish() == "[0 0:0 0:40 0] [1 1:80 1:120 1]");
}

TEST_CASE("leading pictures of an open keyframe go to the segment before, behind a copy of the keyframe") {
  CHECK(feed{}.push(0, closed).push(40).push(160, open).push(80).push(120).push(200).finish() ==
        "[0 0:0 0:40 [1 1:160 0(160) 0:80 0:120 0] 1:200 1]");
}

TEST_CASE("an open keyframe without leading pictures costs the segment before nothing") {
  CHECK(feed{}.push(0, closed).push(40, open).push(80).finish() == "[0 0:0 [1 1:40 0] 1:80 1]");
}

TEST_CASE("an open keyframe directly behind another ends the wait for leading pictures") {
  CHECK(feed{}.push(0, closed).push(40, open).push(80, open).push(60).push(120).finish() ==
        "[0 0:0 [1 1:40 0] [2 2:80 1(80) 1:60 1] 2:120 2]");
}

TEST_CASE("a closed keyframe ends the wait for leading pictures") {
  CHECK(feed{}.push(0, closed).push(80, open).push(40).push(120, closed).finish() ==
        "[0 0:0 [1 1:80 0(80) 0:40 0] 1] [2 2:120 2]");
}

TEST_CASE("a stream that ends among leading pictures closes both segments") {
  CHECK(feed{}.push(0, closed).push(80, open).push(40).finish() == "[0 0:0 [1 1:80 0(80) 0:40 0] 1]");
}

TEST_CASE("leading pictures at the start have nothing to refer to and are refused before their segment") {
  feed f;
  CHECK(f.push(80, open).push(40).push(120).finish() == "[0 0:80 x40 0:120 0]");
  CHECK(std::get<packet_refused>(f.events[2]).before == 0);
}

TEST_CASE("leading pictures of a closed keyframe stay with it") {
  CHECK(feed{}.push(0, closed).push(80, closed).push(40).push(120).finish() == "[0 0:0 0] [1 1:80 1:40 1:120 1]");
}

TEST_CASE("a change of codec closes the segment, and the next one waits for a random access point") {
  feed f;
  f.push(0, closed).push(40);
  const auto other = make_codec(2);
  f.cutter.set_codec(other, f.events);
  CHECK(f.push(80).push(120, open).push(100).push(160).finish() == "[0 0:0 0:40 0] x80 [1 1:120 x100 1:160 1]");
  CHECK(std::get<segment_opened>(f.events[5]).codec == other);
}

TEST_CASE("a packet that is not shown is decoded and owns no frame") {
  feed f;
  f.push(0, closed);
  auto hidden = make_packet(40);
  hidden->shown = false;
  f.cutter.push(hidden, f.events);
  CHECK(f.push(40).finish() == "[0 0:0 0(40) 0:40 0]");
  CHECK(std::get<segment_appended>(f.events[3]).ordinal == 2);
}

TEST_CASE("a segment is not cut before it has its least number of packets") {
  feed f{segmenter{make_codec(), 3}, {}};
  CHECK(f.push(0, closed).push(40, closed).push(80, open).push(120, closed).finish() ==
        "[0 0:0 0:40 0:80 0] [1 1:120 1]");
}

TEST_CASE("of any stream every frame is owned once, decodable in its segment and in order") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    test::random rng{seed};
    test::gop_shape shape;
    shape.frames = static_cast<int>(rng.between(1, 120));
    shape.min_gop = 1;
    shape.max_gop = static_cast<int>(rng.between(1, 20));
    shape.b_frames = static_cast<int>(rng.between(0, 3));
    shape.open = 0.6;
    shape.hidden = 0.1;
    shape.starts_late = rng.chance(0.3);
    const auto stream = test::make_gops(shape, rng);
    segmenter cutter{make_codec(), static_cast<std::uint32_t>(rng.between(1, 4))};
    std::vector<segment_event> events;
    std::map<const core::packet*, std::size_t> index;
    for (std::size_t i = 0; i < stream.size(); ++i) {
      index[stream[i].packet.get()] = i;
      cutter.push(stream[i].packet, events);
    }
    cutter.finish(events);

    std::map<std::uint64_t, std::set<std::size_t>> decoded;
    std::map<std::uint64_t, std::set<std::int64_t>> shown;
    std::set<std::uint64_t> ended;
    std::set<std::size_t> refused{SIZE_MAX}; // and what comes from before the start
    std::size_t single = 0;
    bool good = true;
    for (const auto& event : events) {
      if (const auto* a = std::get_if<segment_appended>(&event)) {
        const auto i = index.at(a->packet.get());
        auto& have = decoded[a->number];
        good = good && !ended.contains(a->number) && a->ordinal == have.size();
        good = good && (!have.empty() || a->packet->access != random_access::none);
        for (auto r : stream[i].refers_to) good = good && have.contains(r);
        have.insert(i);
        if (a->owned) good = good && shown[a->number].insert(a->packet->pts.count()).second;
        if (a->owned || !a->packet->shown) ++single;
      }
      if (const auto* c = std::get_if<segment_closed>(&event)) ended.insert(c->number);
      if (const auto* r = std::get_if<packet_refused>(&event)) {
        ++single;
        bool lost = false;
        const auto i = index.at(r->packet.get());
        for (auto reference : stream[i].refers_to) lost = lost || refused.contains(reference);
        refused.insert(i);
        good = good && lost;
      }
    }
    std::int64_t last = -1;
    for (const auto& [number, frames] : shown) {
      good = good && !frames.empty() && *frames.begin() > last;
      last = *frames.rbegin();
    }
    INFO("seed " << seed << ": " << text(events));
    CHECK(good);
    CHECK(single == stream.size());
    CHECK(ended.size() == decoded.size());
  }
}
