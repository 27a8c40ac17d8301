#include "scaling/controller.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/unit/scaling/stage.hpp"

using namespace penstock;
using namespace penstock::scaling;
using namespace penstock::scaling::test;

namespace {

using names = std::vector<std::string>;

constexpr controller_options wide{.min = 1, .max = 20, .max_step = 5};

bool says(const decision& made, std::string_view words) { return made.why.find(words) != std::string::npos; }

} // namespace

TEST_CASE("more is asked for once, and what boots counts", "[scaling]") {
  stage s{wide};
  s.add("a");
  *s.wanted = 3;
  const auto first = s.decide();
  CHECK(first.action == scaling_action::out);
  CHECK(first.target == 3);
  CHECK(first.why == "want 3, have 1: told so");
  CHECK(first.policy == "told");
  // Not visible yet, then booting, then there.
  CHECK_FALSE(s.decide().target);
  s.boot("b");
  s.boot("c");
  const auto booting = s.decide();
  CHECK_FALSE(booting.target);
  CHECK(booting.have == 3);
  CHECK(booting.booting == 2);
  CHECK(booting.seen->workers.joining == 2);
  CHECK(booting.action == scaling_action::hold);
}

TEST_CASE("the largest of several proposals counts", "[scaling]") {
  std::vector<policy_ptr> policies;
  for (const int n : {2, 7, 4})
    policies.push_back(std::make_unique<told_policy>(std::make_shared<int>(n), std::to_string(n)));
  controller decider{wide, std::move(policies)};
  signals fresh;
  fresh.at = start;
  const auto made = decider.decide(start, {fresh, fleet_state{}, std::vector<worker_view>{}});
  CHECK(made.want == 5);
  CHECK(made.why == "want 5, have 0: 7; 7 by 5 at a time");
}

TEST_CASE("bounds hold whatever a policy wants", "[scaling]") {
  stage s{{.min = 2, .max = 4, .max_step = 10}};
  s.add("a");
  s.add("b");
  s.add("c");
  *s.wanted = 100;
  CHECK(s.decide().target == 4);
  s.add("d");
  *s.wanted = 0;
  const auto made = s.decide();
  CHECK(made.want == 2);
  CHECK(made.drain.size() == 2);
  CHECK(says(made, "at least 2"));
}

TEST_CASE("scale-in drains named workers first and retires them when they are done", "[scaling]") {
  stage s{wide};
  s.add("a", worker_stage::ready, 3);
  s.add("b", worker_stage::ready, 1);
  s.add("c", worker_stage::ready, 2);
  *s.wanted = 2;
  const auto made = s.decide();
  CHECK(made.action == scaling_action::in);
  CHECK(made.drain == names{"w-b"});
  CHECK(made.retire.empty());
  CHECK_FALSE(made.target);

  s.worker("b").stage = worker_stage::draining;
  const auto waits = s.decide();
  CHECK(waits.have == 2);
  CHECK(waits.draining == 1);
  CHECK(waits.drain.empty());
  CHECK(waits.retire.empty());

  s.worker("b").leases = 0;
  const auto done = s.decide();
  CHECK(done.retire == names{"b"});
  CHECK_FALSE(done.target);
  CHECK(s.decide().retire.empty());
  s.remove("b");
  s.fleet.target = 2;
  CHECK(s.decide().why == "want 2, have 2: told so");
  CHECK(s.decider.counts().vanished == 0);
}

TEST_CASE("a worker that said bye has drained, and one that is silent has not as long as its head waits for it",
          "[scaling]") {
  stage s{wide};
  s.add("a", worker_stage::ready, 5);
  s.add("b", worker_stage::ready, 4);
  *s.wanted = 1;
  REQUIRE(s.decide().drain == names{"w-b"});
  s.worker("b").stage = worker_stage::lost;
  CHECK(s.decide().retire.empty());
  s.worker("b").stage = worker_stage::gone;
  CHECK(s.decide().retire == names{"b"});
}

TEST_CASE("a worker that nobody has seen draining is not taken for drained because it is absent", "[scaling]") {
  stage s{wide};
  s.add("a", worker_stage::ready, 5);
  s.add("b", worker_stage::ready, 4);
  *s.wanted = 1;
  REQUIRE(s.decide().drain == names{"w-b"});
  s.workers.pop_back(); // the head began anew and knows nobody yet
  const auto made = s.decide();
  CHECK(made.retire.empty());
  CHECK(made.drain == names{"w-b"});
  s.workers.push_back({"w-b", worker_stage::draining, 1});
  CHECK(s.decide().retire.empty());
  s.workers.pop_back();
  CHECK(s.decide().retire == names{"b"});
}

TEST_CASE("a drain that did not arrive is asked for again", "[scaling]") {
  stage s{wide};
  s.add("a", worker_stage::ready, 5);
  s.add("b", worker_stage::ready, 4);
  *s.wanted = 1;
  REQUIRE(s.decide().drain == names{"w-b"});
  CHECK(s.decide().drain == names{"w-b"});
  CHECK(s.decider.counts().in == 1);
}

TEST_CASE("an instance that does not drain in time is retired all the same and counted", "[scaling]") {
  stage s{{.min = 1, .max = 20, .drain_timeout = 100s}};
  s.add("a", worker_stage::ready, 5);
  s.add("b", worker_stage::ready, 4);
  *s.wanted = 1;
  REQUIRE(s.decide().drain == names{"w-b"});
  s.worker("b").stage = worker_stage::draining;
  CHECK(s.decide(90s).retire.empty());
  CHECK(s.decide(10s).retire == names{"b"});
  CHECK(s.decider.counts().drain_timeouts == 1);
}

TEST_CASE("a retirement without effect is repeated after a while", "[scaling]") {
  stage s{wide};
  s.add("a", worker_stage::ready, 5);
  s.add("b", worker_stage::gone);
  s.worker("b").stage = worker_stage::ready;
  *s.wanted = 1;
  REQUIRE(s.decide().drain == names{"w-b"});
  s.worker("b").stage = worker_stage::gone;
  REQUIRE(s.decide().retire == names{"b"});
  CHECK(s.decide(50s).retire.empty());
  CHECK(s.decide(10s).retire == names{"b"});
  s.of("b").state = instance_state::deleting;
  CHECK(s.decide(100s).retire.empty());
}

TEST_CASE("the fewest leases leave first, then the youngest, and never the protected", "[scaling]") {
  stage s{wide};
  s.add("old");
  s.add("kept");
  s.of("kept").is_protected = true;
  *s.wanted = 2;
  static_cast<void>(s.decide());
  s.add("young");
  s.add("busy", worker_stage::ready, 1);
  *s.wanted = 4;
  static_cast<void>(s.decide());
  *s.wanted = 3;
  CHECK(s.decide().drain == names{"w-young"});
  *s.wanted = 1;
  const auto made = s.decide();
  CHECK(made.drain == names{"w-old", "w-busy", "w-young"}); // the last one again: it has not heard yet
  CHECK(made.have == 3);
}

TEST_CASE("nobody leaves while it takes booting instances to make up for it", "[scaling]") {
  stage s{wide};
  s.add("a");
  s.add("b");
  s.boot("c");
  s.boot("d");
  *s.wanted = 2;
  const auto made = s.decide();
  CHECK(made.drain.empty());
  CHECK(made.action == scaling_action::hold);
  CHECK(says(made, "nobody leaves until enough are ready"));
}

TEST_CASE("what boots and is not needed any more is called off, the youngest first, before anybody drains",
          "[scaling]") {
  stage s{wide};
  s.add("a");
  s.add("b");
  *s.wanted = 2;
  static_cast<void>(s.decide());
  s.boot("c");
  *s.wanted = 3;
  static_cast<void>(s.decide());
  s.boot("d");
  s.boot("e");
  s.of("e").is_protected = true;
  *s.wanted = 5;
  static_cast<void>(s.decide());
  *s.wanted = 4;
  auto made = s.decide();
  CHECK(made.retire == names{"d"});
  CHECK(made.drain.empty());
  CHECK(made.action == scaling_action::in);
  CHECK(says(made, "1 that boot are called off"));
  s.remove("d");
  --s.fleet.target;
  // Its worker is nearly there: it stays, and so does who is ready until it is.
  s.workers.push_back({"w-c", worker_stage::warming, 0});
  s.of("c").worker = "w-c";
  *s.wanted = 2;
  made = s.decide();
  CHECK(made.retire.empty());
  CHECK(made.drain.empty());
  CHECK(says(made, "nobody leaves until enough are ready"));
  // Nobody counts what was called off as a boot that failed, or asks for it again.
  CHECK(s.decider.counts().failed_boots == 0);
  CHECK_FALSE(made.target);
}

TEST_CASE("missing or old signals freeze the fleet and say so", "[scaling]") {
  stage s{wide};
  s.add("a");
  s.add("b");
  *s.wanted = 1;
  auto known = s.seen();
  known.seen = core::fail(core::errc::unavailable, "no answer from the server");
  auto made = s.decider.decide(s.now, known);
  CHECK(made.is_frozen());
  CHECK(made.why == "frozen at 2: no signals: no answer from the server");
  CHECK((made.drain.empty() && made.retire.empty() && !made.target));
  CHECK((made.want == 2 && made.have == 2));

  known = s.seen();
  made = s.decider.decide(s.now + 91s, known);
  CHECK(made.why == "frozen at 2: the signals are 91 s old, more than 90 s");

  known = s.seen();
  known.workers = core::fail(core::errc::timeout, "the head is silent");
  CHECK(s.decider.decide(s.now + 92s, known).is_frozen());
  known = s.seen();
  known.fleet = core::fail(core::errc::timeout, "the fleet's owner is silent");
  CHECK(s.decider.decide(s.now + 93s, known).is_frozen());
  known = s.seen();
  known.seen->late_share = std::numeric_limits<double>::quiet_NaN();
  CHECK(s.decider.decide(s.now + 94s, known).why == "frozen at 2: the signals are no numbers");
  CHECK(s.decider.counts().frozen == 5);
  s.now += 90s;
  CHECK(s.decide().action == scaling_action::in);
}

TEST_CASE("a frozen fleet that shrinks by itself is filled up to its minimum, and not beyond", "[scaling]") {
  stage s{{.min = 2, .max = 20}};
  for (const auto* id : {"a", "b", "c"}) s.add(id);
  *s.wanted = 3;
  static_cast<void>(s.decide());
  s.remove("a");
  auto known = s.seen();
  known.seen = core::fail(core::errc::unavailable, "gone");
  CHECK_FALSE(s.decider.decide(s.now, known).target);
  s.remove("b");
  known = s.seen();
  known.seen = core::fail(core::errc::unavailable, "gone");
  const auto made = s.decider.decide(s.now, known);
  CHECK(made.is_frozen());
  CHECK(made.target == 2);
}

TEST_CASE("what the fleet could not give is said, and asked for again only after a while", "[scaling]") {
  stage s{wide};
  s.add("a");
  *s.wanted = 4;
  REQUIRE(s.decide().target == 4);
  s.add("b");
  CHECK(s.decide(110s).have == 4); // may still come
  auto made = s.decide(10s);
  CHECK(made.have == 2);
  CHECK(made.missing == 2);
  CHECK(made.action == scaling_action::hold);
  CHECK_FALSE(made.target);
  CHECK(says(made, "the fleet gave 2 of 4"));
  for (int i = 0; i < 40; ++i) REQUIRE_FALSE(s.decide().target);
  s.now += 80s;
  CHECK(s.decide(10s).target == 4);
}

TEST_CASE("an instance that vanishes is replaced at once", "[scaling]") {
  stage s{wide};
  for (const auto* id : {"a", "b", "c"}) s.add(id);
  *s.wanted = 3;
  REQUIRE_FALSE(s.decide(1000s).target);
  s.remove("b");
  const auto made = s.decide();
  CHECK(made.have == 2);
  CHECK(made.target == 3);
  CHECK(s.decider.counts().vanished == 1);
  s.add("d");
  s.of("a").state = instance_state::deleting; // by its owner
  CHECK(s.decide().target == 3);
  s.remove("a");
  CHECK_FALSE(s.decide().target);
  CHECK(s.decider.counts().vanished == 2);
}

TEST_CASE("an instance that never becomes a worker is counted and replaced", "[scaling]") {
  stage s{{.min = 1, .max = 20, .boot_limit = 300s}};
  s.add("a");
  s.boot("b");
  *s.wanted = 2;
  CHECK(s.decide().retire.empty());
  CHECK(s.decide(290s).retire.empty());
  const auto made = s.decide(10s);
  CHECK(made.retire == names{"b"});
  CHECK(made.target == 2);
  CHECK(s.decider.counts().failed_boots == 1);
}

TEST_CASE("an instance that its owner calls failed is replaced at once", "[scaling]") {
  stage s{wide};
  s.add("a");
  s.boot("b");
  *s.wanted = 2;
  static_cast<void>(s.decide());
  s.of("b").state = instance_state::failed;
  const auto made = s.decide();
  CHECK(made.have == 1);
  CHECK(made.retire == names{"b"});
  CHECK(made.target == 2);
  CHECK(s.decider.counts().failed_boots == 1);
  CHECK(s.decider.counts().vanished == 0);
}

TEST_CASE("lost workers count until their limit, and are not replaced where nobody works any more", "[scaling]") {
  stage s{{.min = 1, .max = 20, .boot_limit = 300s}};
  s.add("a");
  s.add("b");
  *s.wanted = 2;
  static_cast<void>(s.decide());
  s.worker("b").stage = worker_stage::lost;
  const auto made = s.decide();
  CHECK(made.have == 2);
  CHECK(made.seen->workers.lost == 1);
  CHECK(made.seen->workers.coming() == 2);
  s.worker("a").stage = worker_stage::lost; // the head's network, rather than both
  CHECK(s.decide(400s).retire.empty());
  s.worker("a").stage = worker_stage::ready; // the first to be back, and "b" has its time for it, too
  CHECK(s.decide().retire.empty());
  CHECK(s.decide(270s).retire.empty());
  CHECK(s.decide(20s).retire == names{"b"});
}

TEST_CASE("time in which nobody could be seen counts against nobody", "[scaling]") {
  stage s{{.min = 1, .max = 20, .boot_limit = 300s}};
  s.add("a");
  s.boot("b");
  *s.wanted = 2;
  static_cast<void>(s.decide());
  s.now += 1000s;
  auto blind = s.seen();
  blind.workers = core::fail(core::errc::timeout, "silence");
  REQUIRE(s.decider.decide(s.now, blind).is_frozen());
  CHECK(s.decide().retire.empty());
  CHECK(s.decide(280s).retire.empty());
  CHECK(s.decide(20s).retire == names{"b"});
}

TEST_CASE("an instance without a worker is replaced though it is protected, and one with a worker is not",
          "[scaling]") {
  stage s{{.min = 1, .max = 20, .boot_limit = 300s}};
  for (const auto* id : {"a", "b", "c"}) s.add(id);
  *s.wanted = 3;
  static_cast<void>(s.decide());
  // As after a drain whose controller is no more.
  for (const auto* id : {"b", "c"}) s.of(id).is_protected = true;
  s.worker("b").stage = worker_stage::warming;
  std::erase_if(s.workers, [](const worker_view& w) { return w.name == "w-c"; });
  const auto made = s.decide(300s);
  CHECK(made.retire == names{"c"});
  CHECK(made.target == 3);
}

TEST_CASE("what did not reach the fleet is due at once, and more of it, too", "[scaling]") {
  stage s{wide};
  s.add("a");
  *s.wanted = 3;
  REQUIRE(s.decide().target == 3);
  s.decider.not_asked();
  const auto made = s.decide();
  CHECK(made.have == 1);
  CHECK(made.missing == 0);
  CHECK(made.target == 3);
  s.decider.not_asked();
  *s.wanted = 5;
  CHECK(s.decide().target == 5);
}

TEST_CASE("policies hear of those that the source calls lost, too", "[scaling]") {
  stage s{wide};
  s.add("a");
  auto known = s.seen();
  known.seen->workers.lost = 3; // of a head that has struck them off
  CHECK(s.decider.decide(s.now, known).seen->workers.lost == 3);
}

TEST_CASE("drains that others began are waited for, and their instances retired", "[scaling]") {
  stage s{wide};
  s.add("a");
  s.add("b", worker_stage::draining, 2);
  *s.wanted = 2;
  const auto made = s.decide();
  CHECK(made.have == 1);
  CHECK(made.draining == 1);
  CHECK(made.target == 3); // the one that drains is still there
  s.worker("b").leases = 0;
  CHECK(s.decide().retire == names{"b"});
}

TEST_CASE("out after in and in after out are changes of direction", "[scaling]") {
  stage s{wide};
  for (const auto* id : {"a", "b", "c"}) s.add(id);
  *s.wanted = 2;
  REQUIRE(s.decide().action == scaling_action::in);
  CHECK(s.decider.counts().direction_changes == 0);
  *s.wanted = 3;
  REQUIRE(s.decide().action == scaling_action::out);
  REQUIRE(s.decide().action == scaling_action::hold);
  CHECK(s.decider.counts().direction_changes == 1);
}

TEST_CASE("the boot time is the median of what was watched", "[scaling]") {
  stage s{wide};
  s.add("a");
  *s.wanted = 4;
  static_cast<void>(s.decide());
  CHECK(s.decider.who().boot_time().count() == 0);
  for (const auto* id : {"b", "c", "d"}) s.boot(id);
  static_cast<void>(s.decide());
  const auto appear = [&](const std::string& id) {
    s.of(id).worker = "w-" + id;
    s.workers.push_back({"w-" + id, worker_stage::ready, 0});
  };
  appear("b");
  static_cast<void>(s.decide(100s));
  appear("c");
  static_cast<void>(s.decide(40s));
  appear("d");
  const auto made = s.decide(500s);
  CHECK(s.decider.who().boot_time().count() == Approx(140));
  CHECK(made.seen->boot.count() == Approx(140));
}

TEST_CASE("a fleet that only takes a number is given it, up and down", "[scaling]") {
  auto options = wide;
  options.names_instances = false;
  const auto wanted = std::make_shared<int>(6);
  std::vector<policy_ptr> policies;
  policies.push_back(std::make_unique<told_policy>(wanted));
  controller decider{options, std::move(policies)};
  signals fresh;
  fresh.at = start;
  fresh.workers.ready = 3;
  observation known{fresh, fleet_state{3, {}}, core::fail(core::errc::unsupported, "not asked for")};
  auto made = decider.decide(start, known);
  CHECK(made.action == scaling_action::out);
  CHECK(made.target == 6);
  known.fleet->target = 6;
  made = decider.decide(start + 10s, known);
  CHECK(made.action == scaling_action::hold); // they are taken to be on their way
  CHECK(made.have == 6);
  CHECK(made.booting == 3);
  CHECK(made.seen->workers.coming() == 6);
  *wanted = 1;
  made = decider.decide(start + 20s, known);
  CHECK(made.action == scaling_action::in);
  CHECK(made.target == 1);
  known.seen = core::fail(core::errc::timeout, "silence");
  made = decider.decide(start + 30s, known);
  CHECK(made.is_frozen());
  CHECK_FALSE(made.target);
  CHECK(made.have == 6);
  known.seen = fresh;
  known.seen->at = start + 1000s;
  *wanted = 6;
  made = decider.decide(start + 1000s, known);
  CHECK(made.have == 3); // nobody came
  CHECK(made.action == scaling_action::out);
}

TEST_CASE("a decision is told as one JSON object", "[scaling]") {
  stage s{wide};
  s.add("a");
  *s.wanted = 3;
  const auto text = to_json(s.decide(), "worker", "2024-05-01T12:00:00Z");
  CHECK(text.find('\n') == std::string::npos);
  const auto told = nlohmann::json::parse(text);
  CHECK(told["event"] == "scaling");
  CHECK(told["time"] == "2024-05-01T12:00:00Z");
  CHECK(told["role"] == "worker");
  CHECK(told["action"] == "out");
  CHECK((told["want"] == 3 && told["have"] == 1 && told["target"] == 3));
  CHECK(told["why"] == "want 3, have 1: told so");
  CHECK(told["signals"]["workers"]["ready"] == 1);
  auto known = s.seen();
  known.seen = core::fail(core::errc::timeout, "not UTF-8: \xff");
  const auto frozen = nlohmann::json::parse(to_json(s.decider.decide(s.now, known), "worker", ""));
  CHECK(frozen["action"] == "frozen");
  CHECK(frozen["signals"].is_null());
  CHECK(frozen["target"].is_null());
}

TEST_CASE("options of the controller that make no sense are named", "[scaling]") {
  CHECK(controller_options{}.validate());
  const auto wrong = [](controller_options o) { return o.validate().error(); };
  CHECK(wrong({.min = -1}).code == core::errc::bad_config);
  CHECK(wrong({.min = 3, .max = 2}).message == "max: 2 is not at least 3");
  CHECK(wrong({.max_step = 0}).message == "max_step: 0 is not at least 1");
  CHECK(wrong({.stale_after = 0s}).message == "stale_after: 0 is not a time above 0");
}
