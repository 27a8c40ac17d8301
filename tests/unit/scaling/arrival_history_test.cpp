#include "scaling/policy/arrival_history.hpp"

#include <functional>

#include "tests/catch.hpp"
#include "tests/unit/scaling/loads.hpp"

using namespace penstock;
using namespace penstock::scaling;
using namespace std::chrono_literals;

namespace {

constexpr core::seconds hour{3600};

/// What a source with a window of 30 s tells every 10 s of arrivals at given rates, second by second.
arrival_history told_of(const test::load& arrivals, core::seconds memory = hour) {
  arrival_history history{memory, 10s};
  for (std::size_t t = 30; t <= arrivals.size(); t += 10) {
    double sum = 0;
    for (std::size_t i = t - 30; i < t; ++i) sum += arrivals[i];
    history.add(core::time_point{std::chrono::seconds{t}}, sum / 30);
  }
  return history;
}

test::load shaped(std::size_t seconds, const std::function<double(double)>& rate) {
  test::load out(seconds);
  for (std::size_t t = 0; t < seconds; ++t) out[t] = rate(static_cast<double>(t));
  return out;
}

} // namespace

TEST_CASE("the level is the mean of the last window", "[scaling]") {
  arrival_history history{hour, 10s};
  CHECK(history.level(60s) == 0);
  for (int i = 0; i < 20; ++i) history.add(core::time_point{i * 10s}, i < 14 ? 5 : 11);
  CHECK(history.level(60s) == Approx(11));
  CHECK(history.level(120s) == Approx(8));
}

TEST_CASE("the memory is bounded whatever the interval", "[scaling]") {
  arrival_history history{hour, 10s};
  for (int i = 0; i < 100'000; ++i) history.add(core::time_point{i * 100ms}, i < 50'000 ? 1 : 2);
  CHECK(history.points() <= 362);
  CHECK(history.level(hour) == Approx(2).margin(0.4));
  CHECK(history.level(60s) == Approx(2));
}

TEST_CASE("a certain trend has a small error, and noise alone has none that is certain", "[scaling]") {
  const auto rising = told_of(test::poisson(shaped(900, [](double t) { return 600 + 0.5 * t; }), 1)).trend(600s, 30s);
  REQUIRE(rising);
  CHECK(rising->slope == Approx(0.5).epsilon(0.1));
  CHECK(rising->slope > 10 * rising->error);

  int certain = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto flat = told_of(test::poisson(test::steady(600, 900), seed)).trend(600s, 30s);
    REQUIRE(flat);
    certain += flat->slope > 4 * flat->error ? 1 : 0;
  }
  CHECK(certain <= 1);
}

TEST_CASE("nothing is said of a trend from too little", "[scaling]") {
  CHECK_FALSE(told_of(test::steady(600, 120)).trend(600s, 30s));
  CHECK_FALSE(arrival_history(hour, 10s).trend(600s, 30s));
  CHECK(told_of(test::steady(600, 400)).trend(600s, 30s));
}

TEST_CASE("the dispersion is one for a Poisson stream and the size of batches for one that has them", "[scaling]") {
  CHECK(told_of(test::poisson(test::steady(600, 3600), 3)).dispersion(30s).value() == Approx(1).epsilon(0.5));
  auto batches = test::poisson(test::steady(25, 3600), 4);
  for (auto& items : batches) items *= 24;
  CHECK(told_of(batches).dispersion(30s).value() == Approx(24).epsilon(0.5));
  // One step and a slow trend count little.
  auto steps = shaped(3600, [](double t) { return (t < 1800 ? 600 : 1200) + t / 60; });
  CHECK(told_of(test::poisson(steps, 5)).dispersion(30s).value() < 3);
  CHECK_FALSE(told_of(test::steady(600, 120)).dispersion(30s));
}

TEST_CASE("a steady stream may rise by nothing but its noise", "[scaling]") {
  const auto most = told_of(test::poisson(test::steady(600, 3600), 6)).may_rise_to(240s, 60s, 0.9);
  REQUIRE(most);
  CHECK(*most >= 600 * 0.98);
  CHECK(*most <= 600 * 1.02);
}

TEST_CASE("what rose before may rise again within a boot time", "[scaling]") {
  // From 400 to 800 every ten minutes, at once.
  auto swings = shaped(3600, [](double t) { return static_cast<int>(t) % 1200 < 600 ? 400 : 800; });
  swings.resize(3590); // the last minutes are high
  const auto high = told_of(swings).may_rise_to(240s, 60s, 0.9);
  CHECK(high.value() == Approx(800));
  swings.resize(2900); // and here low
  CHECK(told_of(swings).may_rise_to(240s, 60s, 0.9).value() == Approx(800));
  CHECK(told_of(swings).may_rise_to(240s, 60s, 0.3).value() == Approx(400));
}

TEST_CASE("one flash crowd is not expected at every moment of the next hour", "[scaling]") {
  const auto crowd = told_of(test::flash_crowd(600, 3, 600, 60, 3600));
  CHECK(crowd.may_rise_to(240s, 60s, 0.9).value() < 700);
  CHECK(crowd.may_rise_to(240s, 60s, 1).value() > 1000);
}

TEST_CASE("an outage teaches nothing of rises", "[scaling]") {
  arrival_history history{hour, 10s};
  arrival_history naive{hour, 10s};
  for (int t = 0; t < 3600; t += 10) {
    const bool away = t >= 1000 && t < 1600;
    history.add(core::time_point{std::chrono::seconds{t}}, away ? 10 : 600, !away);
    naive.add(core::time_point{std::chrono::seconds{t}}, away ? 10 : 600);
  }
  CHECK(history.may_rise_to(240s, 60s, 1).value() == Approx(600));
  CHECK(naive.dispersion(30s).has_value());
  CHECK(history.dispersion(30s).value() == Approx(0));
}

TEST_CASE("from nothing arrivals may rise by what they rose from nothing before", "[scaling]") {
  CHECK(told_of(test::steady(0, 900)).may_rise_to(240s, 60s, 0.9).value() == 0);
  auto visits = shaped(3500, [](double t) { return static_cast<int>(t) % 600 < 300 ? 0 : 50; });
  visits.resize(3400); // the last minutes are empty, but for the window
  for (std::size_t t = 3300; t < visits.size(); ++t) visits[t] = 0;
  CHECK(told_of(visits).may_rise_to(240s, 30s, 0.9).value() == Approx(50));
}

TEST_CASE("how far arrivals rose from here counts where they have been here for long enough", "[scaling]") {
  // 100 s of twice as much in ten minutes, and one of them is on.
  const auto bursts = shaped(3600, [](double t) { return static_cast<int>(t) % 600 >= 500 ? 600 : 300; });
  CHECK(told_of(bursts).rose_to_from_here(240s, 60s).value() == Approx(600));
  CHECK_FALSE(told_of(shaped(600, [](double t) { return t >= 500 ? 600 : 300; })).rose_to_from_here(240s, 60s));
  // While it rises it is here for the first time.
  CHECK_FALSE(told_of(shaped(1800, [](double t) { return 100 + t; })).rose_to_from_here(240s, 60s));
}

TEST_CASE("without a future nothing is said of rises", "[scaling]") {
  CHECK_FALSE(told_of(test::steady(600, 300)).may_rise_to(240s, 60s, 0.9));
  CHECK(told_of(test::steady(600, 340)).may_rise_to(240s, 60s, 0.9));
  CHECK_FALSE(arrival_history(hour, 10s).may_rise_to(240s, 60s, 0.9));
}
