#include "scaling/policy/threshold.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::scaling;
using namespace std::chrono_literals;

namespace {

/// Feeds a policy the same signals every 15 s.
class feed {
 public:
  explicit feed(threshold_options options, int workers) : decides{std::move(options)} {
    seen.at = core::time_point{1h};
    seen.workers.ready = workers;
  }

  proposal once() {
    seen.at += 15s;
    return decides.propose(seen);
  }
  /// What is proposed at the end of a time.
  proposal during(std::chrono::seconds time) {
    proposal last;
    for (auto t = 0s; t < time; t += 15s) last = once();
    return last;
  }

  signals seen;
  threshold_policy decides;
};

threshold_options utilisation_rules() {
  return {.out = {{.threshold = 0.75, .duration = 120s, .cooldown = 300s, .step = 2}},
          .in = {{.compare = threshold_operator::below, .threshold = 0.25, .duration = 120s, .cooldown = 300s}}};
}

} // namespace

TEST_CASE("a rule holds only once its whole duration has been seen, by the mean", "[scaling]") {
  feed f{utilisation_rules(), 4};
  f.seen.utilisation = 0.9;
  CHECK(f.during(120s).workers == 4);
  CHECK(f.once().workers == 6);

  feed g{utilisation_rules(), 4};
  g.seen.utilisation = 0.5;
  g.during(300s);
  g.seen.utilisation = 0.9; // mean of 2 min: above 0.75 once six of its eight values are
  CHECK(g.during(75s).workers == 4);
  CHECK(g.once().workers == 6);
}

TEST_CASE("nothing is done within the cooldown of a change", "[scaling]") {
  feed f{utilisation_rules(), 4};
  f.seen.utilisation = 0.9;
  f.during(120s);
  REQUIRE(f.once().workers == 6);
  f.seen.workers.ready = 6;
  const auto held = f.during(285s);
  CHECK(held.workers == 6);
  CHECK(held.why.find("held: cooldown") != std::string::npos);
  CHECK(f.once().workers == 8);
}

TEST_CASE("any out-rule is enough, all in-rules are needed", "[scaling]") {
  auto options = utilisation_rules();
  options.out.push_back({.metric = threshold_metric::backlog, .threshold = 10, .duration = 30s, .step = 5});
  options.in.push_back({.metric = threshold_metric::late_share,
                        .compare = threshold_operator::at_most,
                        .threshold = 0,
                        .duration = 60s});
  feed f{options, 4};
  f.seen.utilisation = 0.1;
  f.seen.late_share = 0.01;
  CHECK(f.during(600s).workers == 4);
  f.seen.late_share = 0;
  CHECK(f.during(45s).workers == 4);
  CHECK(f.once().workers == 3);

  feed g{options, 4};
  g.seen.service_per_s = 10;
  g.seen.backlog_items = 1000;
  g.seen.utilisation = 0.9;
  CHECK(g.during(45s).workers == 9);
}

TEST_CASE("out goes before in, and by the largest step", "[scaling]") {
  feed f{{.out = {{.threshold = 0.5, .duration = 15s, .step = 1}, {.threshold = 0.6, .duration = 15s, .step = 3}},
          .in = {{.compare = threshold_operator::above, .threshold = 0.1, .duration = 15s}}},
         4};
  f.seen.utilisation = 0.7;
  CHECK(f.during(30s).workers == 7);
}

TEST_CASE("scale-in that would scale out at once is not begun, or made smaller", "[scaling]") {
  const auto rules = [](int step) {
    return threshold_options{
        .out = {{.threshold = 0.75, .duration = 60s}},
        .in = {{.compare = threshold_operator::below, .threshold = 0.6, .duration = 60s, .step = step}}};
  };
  feed two{rules(1), 2};
  two.seen.utilisation = 0.4; // 0.8 for one
  const auto held = two.during(600s);
  CHECK(held.workers == 2);
  CHECK(held.why.find("held: fewer would ask for more at once") != std::string::npos);
  feed ten{rules(8), 10};
  ten.seen.utilisation = 0.45; // 0.75 for six
  CHECK(ten.during(75s).workers == 6);
  feed one{rules(1), 1};
  one.seen.utilisation = 0;
  CHECK(one.during(600s).workers == 1);
}

TEST_CASE("instances that boot count when rules step", "[scaling]") {
  feed f{utilisation_rules(), 4};
  f.seen.workers.joining = 3;
  f.seen.utilisation = 0.9;
  CHECK(f.during(135s).workers == 9);
}

TEST_CASE("a backlog that nobody works on is above every threshold", "[scaling]") {
  feed f{{.out = {{.metric = threshold_metric::backlog, .threshold = 3600, .duration = 30s}}, .in = {}}, 0};
  f.seen.backlog_items = 1;
  CHECK(f.during(45s).workers == 1);
}

TEST_CASE("a moment in which nobody works does not outweigh all others", "[scaling]") {
  feed f{{.out = {{.metric = threshold_metric::backlog, .threshold = 10, .duration = 300s}}, .in = {}}, 0};
  f.seen.backlog_items = 5;
  f.seen.service_per_s = 1;
  f.during(30s);
  f.seen.workers.ready = 1;
  CHECK(f.during(600s).workers == 1);
}

TEST_CASE("rules that make no sense are named", "[scaling]") {
  CHECK(threshold_options{}.validate());
  CHECK(threshold_options{.out = {}}.validate().error().message == "out: without a rule nothing ever grows");
  threshold_options options;
  options.in[0].step = 0;
  CHECK(options.validate().error().message == "in[0]: step: 0 is not at least 1");
  CHECK(options.validate().error().code == core::errc::bad_config);
  options = {};
  options.out.push_back({.duration = 0s});
  CHECK(options.validate().error().message == "out[1]: duration: 0 is not a time above 0");
}
