#include "scaling/simulator/load.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "scaling/simulator/arrivals.hpp"
#include "scaling/simulator/virtual_time.hpp"
#include "tests/catch.hpp"

using namespace penstock::scaling::simulator;

namespace {

std::vector<std::int64_t> all(const load& what, std::uint64_t seed) {
  request_arrivals coming{what, seed};
  std::vector<std::int64_t> times;
  for (; coming.next_us() != never_us; coming.pop()) times.push_back(coming.next_us());
  return times;
}

} // namespace

TEST_CASE("made-up loads have the mean that was asked for, and the same seed makes the same load") {
  const auto text = GENERATE("steady,mean=200,length=10m,seed=4", "diurnal,mean=200,length=1h,day=1h,seed=4",
                             "burst,mean=200,length=1h,peak=4,seed=4", "flash,mean=200,length=1h,peak=5,seed=4");
  const auto made = parse_load(text);
  REQUIRE(made);
  CHECK(made->mean() == Approx(200));
  CHECK(std::ranges::all_of(made->arrivals, [](double a) { return a >= 0; }));
  CHECK(parse_load(text) == made);
}

TEST_CASE("another seed makes another load, where chance has a part in it") {
  CHECK(burst(200, 3600, 4, 1).arrivals != burst(200, 3600, 4, 2).arrivals);
  CHECK(diurnal(200, 3600, 3600, 0.6, 1).arrivals != diurnal(200, 3600, 3600, 0.6, 2).arrivals);
  CHECK(camera_fleet(30, 5, 3600, 1 / 3.0, 1).cameras != camera_fleet(30, 5, 3600, 1 / 3.0, 2).cameras);
}

TEST_CASE("loads have the shape that their names say") {
  const auto day = diurnal(100, 3600, 3600, 0.6, 1);
  CHECK(day.arrivals[1800] > 2.5 * day.arrivals[0]);
  const auto bursts = burst(100, 3600, 4, 1);
  CHECK(std::ranges::max(bursts.arrivals) == Approx(4 * std::ranges::min(bursts.arrivals)));
  const auto crowd = flash_crowd(100, 3600, 5, 1);
  const auto peak = std::ranges::max_element(crowd.arrivals) - crowd.arrivals.begin();
  CHECK(crowd.arrivals[static_cast<std::size_t>(peak)] == Approx(5 * crowd.arrivals[0]).epsilon(0.01));
  CHECK(crowd.arrivals[static_cast<std::size_t>(peak) + 600] == Approx(3 * crowd.arrivals[0]).epsilon(0.01));
  CHECK(crowd.arrivals[static_cast<std::size_t>(peak) - 40] == crowd.arrivals[0]);
}

TEST_CASE("a load lasts for an hour and a day for a day, unless a length is given") {
  CHECK(parse_load("steady")->length_s == 3600);
  CHECK(parse_load("cameras")->length_s == 3600);
  CHECK(parse_load("steady,length=10m")->length_s == 600);
  const auto day = parse_load("diurnal,swing=0.8");
  REQUIRE(day->length_s == 24 * 3600);
  CHECK(day->arrivals[12 * 3600] > 3 * day->arrivals[0]);
  CHECK(parse_load("diurnal,day=2h")->length_s == 7200);
  const auto half = parse_load("diurnal,length=12h");
  REQUIRE(half->length_s == 12 * 3600);
  CHECK(half->arrivals.back() > 2 * half->arrivals.front());
}

TEST_CASE("of a fleet of cameras a share is always there") {
  const auto share = GENERATE(0.0, 0.25, 1 / 3.0, 1.0);
  const auto fleet = camera_fleet(120, 5, 600, share, 1);
  const auto stay = std::ranges::count(fleet.cameras, camera{0, 600});
  CHECK(stay == std::llround(120 * share));
  CHECK(parse_load("cameras,count=20,always=1")->items().front() == Approx(100));
}

TEST_CASE("scaling a load scales all of it") {
  const auto twice = scaled(steady(100, 60), 2);
  CHECK(twice.mean() == Approx(200));
  CHECK(scaled(camera_fleet(10, 5, 60, 1 / 3.0, 1), 0.5).frames_per_s == 2.5);
}

TEST_CASE("requests come in order within their seconds: as many as the trace says, or so many on average") {
  load what;
  what.arrivals = {3, 0, 250, 0.5};
  what.within = GENERATE(spread::uniform, spread::poisson);
  std::vector<std::uint64_t> sums(4);
  constexpr int runs = 200;
  for (std::uint64_t seed = 0; seed < runs; ++seed) {
    const auto times = all(what, seed);
    REQUIRE(std::ranges::is_sorted(times));
    REQUIRE((times.empty() || (times.front() >= 0 && times.back() < 4'000'000)));
    for (const auto t : times) ++sums[static_cast<std::size_t>(t / 1'000'000)];
    if (what.within == spread::uniform)
      REQUIRE(std::ranges::count_if(times, [](auto t) { return t < 1'000'000; }) == 3);
  }
  CHECK(sums[1] == 0);
  CHECK(static_cast<double>(sums[0]) / runs == Approx(3).epsilon(0.1));
  CHECK(static_cast<double>(sums[2]) / runs == Approx(250).epsilon(0.02));
  CHECK(static_cast<double>(sums[3]) / runs == Approx(0.5).margin(0.15));
  CHECK(all(what, 1) == all(what, 1));
  CHECK(all(what, 1) != all(what, 2));
}

TEST_CASE("a camera brings its frames at its own phase of the period while it is on, and the last one is known") {
  load what;
  what.frames_per_s = 4;
  what.length_s = 10;
  what.cameras = {{0, 10}, {2, 5}, {20, 30}};
  camera_frames coming{what, 7};
  std::vector<std::vector<std::int64_t>> times(3);
  std::vector<int> lasts(3);
  for (std::int64_t before = 0; coming.next_us() != never_us; coming.pop()) {
    REQUIRE(coming.next_us() >= before);
    before = coming.next_us();
    times[coming.camera()].push_back(before);
    if (coming.is_last()) ++lasts[coming.camera()];
  }
  CHECK(times[0].size() == 40);
  CHECK(times[1].size() == 12);
  CHECK(times[1].front() >= 2'000'000);
  CHECK(times[1].back() < 5'000'000);
  CHECK(times[2].empty());
  for (std::size_t i = 1; i < times[0].size(); ++i) REQUIRE(times[0][i] - times[0][i - 1] == 250'000);
  CHECK(lasts == std::vector<int>{1, 1, 0});
  CHECK(what.items()[1] == Approx(4));
  CHECK(what.items()[3] == Approx(8));
  CHECK(what.streams()[1] == 1);
  CHECK(what.streams()[3] == 2);
}

TEST_CASE("an argument that does not say a load is refused with what would") {
  struct example {
    const char* text;
    const char* message;
  };
  const auto e = GENERATE(
      example{"noise", "load: \"noise\" is none of steady, diurnal, burst, flash, cameras"},
      example{"steady,peak=3", "load steady: \"peak\" is no key here; there are length, seed, mean, within"},
      example{"burst,peak=half", "load burst: peak: \"half\" is no number"},
      example{"burst,peak=0.5", "load burst: peak: 0.5 is below 1"},
      example{"steady,mean", "load steady: \"mean\" is not KEY=VALUE"},
      example{"steady,length=soon", "load steady: length: \"soon\" is no duration, such as 20ms, 240s, 4m, 1h"},
      example{"steady,seed=1.5", "load steady: seed: 1.5 is no whole number"},
      example{"steady,within=clumps", "load steady: within: \"clumps\" is neither poisson nor uniform"});
  const auto made = parse_load(e.text);
  REQUIRE_FALSE(made);
  CHECK(made.error() == penstock::core::error{penstock::core::errc::invalid_argument, e.message});
}
