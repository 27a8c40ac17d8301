#include "scaling/simulator/load.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "scaling/simulator/options.hpp"
#include "scaling/simulator/random.hpp"

namespace penstock::scaling::simulator {

namespace {

std::size_t seconds_of(double length_s) { return static_cast<std::size_t>(std::ceil(length_s)); }

load of_shape(std::string name, double mean_per_s, std::vector<double> shape) {
  const auto sum = std::accumulate(shape.begin(), shape.end(), 0.0);
  const auto factor = sum > 0 ? mean_per_s * static_cast<double>(shape.size()) / sum : 0;
  for (auto& s : shape) s *= factor;
  load made;
  made.name = std::move(name);
  made.length_s = static_cast<double>(shape.size());
  made.arrivals = std::move(shape);
  return made;
}

} // namespace

std::vector<double> load::items() const {
  if (!has_cameras()) return arrivals;
  std::vector<double> sum(seconds_of(length_s), 0);
  for (const auto& c : cameras) {
    const auto end = std::min(c.until_s, length_s);
    for (auto s = static_cast<std::size_t>(c.from_s); static_cast<double>(s) < end; ++s) {
      const auto begin_s = static_cast<double>(s);
      sum[s] += frames_per_s * (std::min(end, begin_s + 1) - std::max(c.from_s, begin_s));
    }
  }
  return sum;
}

std::vector<int> load::streams() const {
  if (!has_cameras()) return {};
  std::vector<int> on(seconds_of(length_s), 0);
  for (const auto& c : cameras)
    for (auto s = static_cast<std::size_t>(c.from_s); s < on.size() && static_cast<double>(s) < c.until_s; ++s) ++on[s];
  return on;
}

double load::mean() const {
  const auto all = items();
  return all.empty() ? 0 : std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
}

load scaled(load what, double factor) {
  for (auto& a : what.arrivals) a *= factor;
  what.frames_per_s *= factor;
  return what;
}

load steady(double mean_per_s, double length_s) {
  return of_shape("steady", mean_per_s, std::vector<double>(seconds_of(length_s), 1.0));
}

load diurnal(double mean_per_s, double length_s, double day_s, double swing, std::uint64_t seed) {
  random rng{seed};
  std::vector<double> shape(seconds_of(length_s));
  double noise = 0;
  for (std::size_t t = 0; t < shape.size(); ++t) {
    constexpr double lasts_s = 120;
    noise += -noise / lasts_s + rng.uniform(-1, 1) * 0.05 * std::sqrt(6 / lasts_s);    // its deviation stays at 5 %
    const auto hour = std::cos(2 * std::numbers::pi * static_cast<double>(t) / day_s); // begins at night
    shape[t] = std::max(0.0, 1 - swing * hour + noise);
  }
  return of_shape("diurnal", mean_per_s, std::move(shape));
}

load burst(double mean_per_s, double length_s, double peak, std::uint64_t seed) {
  random rng{seed};
  std::vector<double> shape(seconds_of(length_s), 1.0);
  for (auto at = rng.exponential(500);;) {
    const auto lasts = rng.uniform(30, 180);
    for (auto t = seconds_of(at); t < shape.size() && static_cast<double>(t) < at + lasts; ++t) shape[t] = peak;
    at += lasts + rng.exponential(500);
    if (at >= length_s) break;
  }
  return of_shape("burst", mean_per_s, std::move(shape));
}

load flash_crowd(double mean_per_s, double length_s, double peak, std::uint64_t seed) {
  random rng{seed};
  const auto begin = rng.uniform(0.2, 0.4) * length_s;
  std::vector<double> shape(seconds_of(length_s), 1.0);
  for (std::size_t t = 0; t < shape.size(); ++t) {
    constexpr double rise_s = 30;
    constexpr double half_s = 600;
    const auto since = static_cast<double>(t) - begin;
    if (since < 0) continue;
    const auto crowd = since < rise_s ? since / rise_s : std::exp2(-(since - rise_s) / half_s);
    shape[t] = 1 + (peak - 1) * crowd;
  }
  return of_shape("flash", mean_per_s, std::move(shape));
}

load camera_fleet(std::size_t cameras, double frames_per_s, double length_s, double always, std::uint64_t seed) {
  random rng{seed};
  // Evenly among the others, so that any part of the fleet looks like all of it.
  const auto until = [&](std::size_t n) { return std::ceil(static_cast<double>(n) * always - 1e-9); };
  load made;
  made.name = "cameras";
  made.frames_per_s = frames_per_s;
  made.length_s = length_s;
  for (std::size_t i = 0; i < cameras; ++i) {
    if (until(i + 1) > until(i))
      made.cameras.push_back({0, length_s});
    else
      made.cameras.push_back({rng.uniform(0, length_s / 3), rng.uniform(length_s * 2 / 3, length_s)});
  }
  return made;
}

core::expected<load> parse_load(const std::string& text) {
  const auto comma = text.find(',');
  const auto kind = text.substr(0, comma);
  double mean = 100;
  double length = 0; // not said
  double day = 24 * 3600;
  double swing = 0.6;
  double peak = 3;
  double seed = 1;
  double count = 100;
  double rate = 5;
  double always = 1.0 / 3;
  bool uniform = false;
  options accepted;
  accepted.duration("length", length, 1).whole("seed", seed, 0);
  const auto requests = [&]() -> options& {
    return accepted.number("mean", mean, 0).choice("within", uniform, {"poisson", "uniform"});
  };
  if (kind == "steady")
    requests();
  else if (kind == "diurnal")
    requests().duration("day", day, 1).number("swing", swing, 0, 1);
  else if (kind == "burst" || kind == "flash")
    requests().number("peak", peak, 1);
  else if (kind == "cameras")
    accepted.whole("count", count, 1).number("rate", rate, 0.001).number("always", always, 0, 1);
  else
    return core::fail(core::errc::invalid_argument,
                      "load: \"" + kind + "\" is none of steady, diurnal, burst, flash, cameras");
  if (const auto read = accepted.read(comma == std::string::npos ? "" : text.substr(comma + 1)); !read)
    return core::fail("load " + kind, read.error());
  if (length == 0) length = kind == "diurnal" ? day : 3600;
  const auto number = static_cast<std::uint64_t>(seed);
  auto made = kind == "steady"    ? steady(mean, length)
              : kind == "diurnal" ? diurnal(mean, length, day, swing, number)
              : kind == "burst"   ? burst(mean, length, peak, number)
              : kind == "flash"   ? flash_crowd(mean, length, peak, number)
                                  : camera_fleet(static_cast<std::size_t>(count), rate, length, always, number);
  made.within = uniform ? spread::uniform : spread::poisson;
  return made;
}

} // namespace penstock::scaling::simulator
