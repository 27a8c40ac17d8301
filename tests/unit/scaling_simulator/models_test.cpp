#include <cmath>

#include "scaling/simulator/fleet_model.hpp"
#include "scaling/simulator/latencies.hpp"
#include "scaling/simulator/options.hpp"
#include "scaling/simulator/service_model.hpp"
#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::scaling::simulator;

TEST_CASE("a fleet is read as it is written") {
  const auto fleet = parse_fleet("boot=240s,price=0.9/h");
  REQUIRE(fleet);
  CHECK(fleet->boot_from_s == 240);
  CHECK(fleet->boot_to_s == 240);
  CHECK(fleet->price_per_h == 0.9);
  CHECK(fleet->initial == 1);
  const auto spot =
      parse_fleet("boot=3m..300s,warm=5s,price=0.2,initial=20,available=40,fails=0.05,spot=2h,notice=30s");
  REQUIRE(spot);
  CHECK(spot->boot_from_s == 180);
  CHECK(spot->boot_to_s == 300);
  CHECK(spot->slowest_start_s() == 305);
  CHECK(spot->available == 40);
  CHECK(spot->spot_life_s == 7200);
}

TEST_CASE("what is wrong with a fleet or a worker is said") {
  CHECK(parse_fleet("boot=5m..1m").error().message == "fleet: boot: 5m..1m ends before it begins");
  CHECK(parse_fleet("fails=2").error().message == "fleet: fails: 2 is above 1");
  CHECK(parse_fleet("available=2,initial=3").error().message == "fleet: available is below initial");
  CHECK(parse_fleet("price=cheap/h").error().message == "fleet: price: \"cheap\" is no number");
  CHECK(parse_service("batch=0").error().message == "worker: batch: 0 is below 1");
  CHECK(parse_service("fixed=0,item=0").error().message == "worker: an item takes less than 1 us");
}

TEST_CASE("a worker's rate follows from its batch curve") {
  const auto worker = parse_service("fixed=20ms,item=10ms,batch=8,instances=2,overhead=3ms");
  REQUIRE(worker);
  CHECK(worker->busy_s(1) == Approx(0.03));
  CHECK(worker->busy_s(8) == Approx(0.1));
  CHECK(worker->most_per_s() == Approx(160));
}

TEST_CASE("durations have units, and seconds without one") {
  CHECK(*parse_duration("20ms") == Approx(0.02));
  CHECK(*parse_duration("90") == Approx(90));
  CHECK(*parse_duration("1.5h") == Approx(5400));
  CHECK_FALSE(parse_duration("4 minutes"));
  CHECK_FALSE(parse_duration("ms"));
}

TEST_CASE("quantiles of latencies are right to within 0.8 %") {
  latencies times;
  CHECK(times.quantile_s(0.5) == 0);
  for (std::int64_t us = 1; us <= 1'000'000; ++us) times.add(us);
  CHECK(times.count() == 1'000'000);
  for (const double q : {0.0001, 0.01, 0.5, 0.95, 0.99, 0.999}) CHECK(times.quantile_s(q) == Approx(q).epsilon(0.008));
  CHECK(times.mean_s() == Approx(0.5).epsilon(0.001));
  latencies one;
  one.add(3);
  CHECK(one.quantile_s(0.99) == Approx(3e-6));
  one.add(INT64_C(3'600'000'000));
  CHECK(one.quantile_s(0.99) == Approx(3600).epsilon(0.008));
}
