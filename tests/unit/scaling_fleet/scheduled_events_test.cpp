#include "scaling/azure/scheduled_events.hpp"

#include "scaling/azure/event_watch.hpp"
#include "tests/unit/scaling_fleet/rig.hpp"

using namespace penstock;
using namespace penstock::scaling::azure;
using namespace std::chrono_literals;
using test::azure_server;
using test::holds;
using test::take;

namespace {

constexpr core::time_point start{std::chrono::hours{1}};
constexpr std::chrono::sys_seconds noon{std::chrono::seconds{1'790'000'000}};

scheduled_event event(std::string id, event_kind kind, std::chrono::seconds from_noon,
                      std::vector<std::string> resources = {"workers_0"}) {
  return {std::move(id), kind, false, std::move(resources), noon + from_noon};
}

/// A reading `later` than the start, with a service whose clock is right and ours that is `off`.
reading_time at(std::chrono::seconds later, std::chrono::seconds off = 0s) {
  return {start + later, noon + later + off, noon + later};
}

/// The watch of a machine whose clocks are the stand-in's.
event_watch watch_of(azure_server& azure) {
  event_watch_options options;
  options.endpoint = azure.address();
  return event_watch{options, {[&azure] { return azure.now(); }, [&azure] { return azure.calendar(); }}};
}

} // namespace

TEST_CASE("an event that names this machine wants a drain with the notice that is left; others do not") {
  for (const auto kind : {event_kind::terminate, event_kind::preempt, event_kind::reboot, event_kind::redeploy}) {
    scheduled_events events{"workers_0"};
    CHECK_FALSE(events.wish());
    events.read({1, {event("a", kind, 90s, {"workers_7", "workers_1"})}}, at(0s));
    CHECK_FALSE(events.wish());
    events.read({2, {event("a", kind, 90s, {"workers_7", "Workers_0"})}}, at(10s));
    CHECK(events.wish() == drain_wish{"a", kind, start + 90s});
  }
}

TEST_CASE("a freeze is noted and wants nothing") {
  scheduled_events events{"workers_0"};
  events.read({1, {event("a", event_kind::freeze, 900s)}}, at(0s));
  events.read({1, {event("a", event_kind::freeze, 900s)}}, at(1s));
  CHECK_FALSE(events.wish());
  CHECK(events.freezes() == 1);
  events.drained();
  CHECK(events.to_approve().empty());
}

TEST_CASE("the first of several events to start is the one that counts") {
  scheduled_events events{"workers_0"};
  events.read({1, {event("a", event_kind::reboot, 900s), event("b", event_kind::preempt, 30s)}}, at(0s));
  CHECK(events.wish() == drain_wish{"b", event_kind::preempt, start + 30s});
  events.read({2, {event("a", event_kind::reboot, 900s)}}, at(5s));
  CHECK(events.wish() == drain_wish{"a", event_kind::reboot, start + 900s});
}

TEST_CASE("documents that come again change nothing, and clocks of whole seconds do not push the end out") {
  scheduled_events events{"workers_0"};
  const events_document document{4, {event("a", event_kind::terminate, 300s)}};
  events.read(document, at(0s));
  const auto wish = events.wish();
  // The service's clock stands still while ours goes on by a second.
  events.read(document, {start + 1s, noon + 1s, noon});
  CHECK(events.wish() == wish);
  events.read(document, at(20s));
  CHECK(events.wish() == wish);
  // A new time is another thing.
  events.read({5, {event("a", event_kind::terminate, 600s)}}, at(21s));
  CHECK(events.wish()->until == start + 600s);
}

TEST_CASE("an event that is withdrawn, or over, ends the wish; the next one is a new drain") {
  scheduled_events events{"workers_0"};
  events.read({1, {event("a", event_kind::redeploy, 600s)}}, at(0s));
  events.drained();
  events.read({2, {}}, at(1s));
  CHECK_FALSE(events.wish());
  events.read({3, {event("b", event_kind::redeploy, 600s)}}, at(2s));
  CHECK(events.to_approve().empty());
  events.drained();
  CHECK(events.to_approve() == std::vector<std::string>{"b"});
}

TEST_CASE("what has started leaves no notice, and needs no approval") {
  scheduled_events events{"workers_0"};
  auto started = event("a", event_kind::reboot, 0s);
  started.started = true;
  started.not_before.reset();
  events.read({1, {started}}, at(5s));
  CHECK(events.wish() == drain_wish{"a", event_kind::reboot, start + 5s});
  events.drained();
  CHECK(events.to_approve().empty());
}

TEST_CASE("the notice is counted by the service's clock, whatever ours says") {
  for (const auto off : {-3'600s, 3'600s}) {
    scheduled_events events{"workers_0"};
    events.read({1, {event("a", event_kind::terminate, 700s)}}, at(0s, off));
    CHECK(events.wish()->until == start + 700s);
  }
}

TEST_CASE("where the service tells no time, the notice is never longer than what Azure promises") {
  const auto left = [](std::chrono::seconds off) {
    scheduled_events events{"workers_0"};
    events.read({1, {event("a", event_kind::preempt, 25s)}}, {start, noon + off, std::nullopt});
    return events.wish()->until - start;
  };
  CHECK(left(0s) == 25s);
  CHECK(left(-3'600s) == 30s); // ours is late: a notice of an hour is none
  CHECK(left(3'600s) == 0s);
}

TEST_CASE("an approval waits for the drain, is made once, and never for other machines") {
  scheduled_events events{"workers_0"};
  events.read(
      {1, {event("a", event_kind::preempt, 30s), event("b", event_kind::reboot, 900s, {"workers_0", "workers_1"})}},
      at(0s));
  CHECK(events.to_approve().empty());
  events.drained();
  CHECK(events.to_approve() == std::vector<std::string>{"a"});
  events.approved("a");
  CHECK(events.to_approve().empty());
  events.read({1, {event("a", event_kind::preempt, 30s)}}, at(1s));
  CHECK(events.to_approve().empty());
}

TEST_CASE("the document is read as Azure's documentation has it") {
  const auto read = take(parse_events(R"({"DocumentIncarnation": 3, "Events": [
    {"EventId": "C7061BAC", "EventStatus": "Scheduled", "EventType": "Terminate", "ResourceType": "VirtualMachine",
     "Resources": ["WestNO_0", "WestNO_1"], "NotBefore": "Mon, 19 Sep 2016 18:29:47 GMT", "Description": "",
     "EventSource": "Platform", "DurationInSeconds": 5},
    {"EventId": "D", "EventStatus": "Started", "EventType": "Reboot", "Resources": [], "NotBefore": ""},
    {"EventId": "E", "EventStatus": "Scheduled", "EventType": "SomethingNew", "Resources": ["WestNO_0"],
     "NotBefore": ""}]})"));
  CHECK(read.incarnation == 3);
  REQUIRE(read.events.size() == 2);
  CHECK(read.events[0].kind == event_kind::terminate);
  CHECK(read.events[0].resources == std::vector<std::string>{"WestNO_0", "WestNO_1"});
  CHECK(read.events[0].not_before == std::chrono::sys_seconds{1'474'309'787s});
  CHECK_FALSE(read.events[0].started);
  CHECK(read.events[1].started);
  CHECK_FALSE(read.events[1].not_before);
  for (const auto* text :
       {"", "[]", "{}", R"({"DocumentIncarnation": "x", "Events": []})", R"({"DocumentIncarnation": 1, "Events": {}})",
        R"({"DocumentIncarnation": 1, "Events": [7]})", R"({"DocumentIncarnation": 1, "Events": [{"EventId": "a"}]})",
        R"({"DocumentIncarnation": 1, "Events": [{"EventId": "a", "EventType": "Reboot", "Resources": [],
            "NotBefore": "soon"}]})"}) {
    INFO(text);
    const auto wrong = parse_events(text);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == core::errc::corrupt);
  }
}

TEST_CASE("a machine asks for its name, watches, drains, approves once, and goes on when the event is over") {
  test::azure_behaviour behaviour;
  behaviour.ahead = -2h; // this machine's clock is two hours ahead of Azure's
  azure_server azure{behaviour};
  auto watch = watch_of(azure);
  CHECK(watch.poll().next == 1s);
  CHECK_FALSE(watch.wish());
  azure.schedule("other", "Reboot", {"workers_1"}, 15min);
  azure.schedule("pause", "Freeze", {"workers_0"}, 15min);
  azure.schedule("spot", "Preempt", {"workers_0"}, 30s);
  CHECK_FALSE(watch.poll().trouble);
  const auto wish = watch.wish();
  REQUIRE(wish);
  CHECK(wish->kind == event_kind::preempt);
  CHECK(wish->until - azure.now() == 30s);
  CHECK(watch.freezes() == 1);
  for (int second = 0; second < 5; ++second) {
    azure.advance(1s);
    watch.poll();
  }
  CHECK(watch.wish() == wish);
  CHECK(azure.approved().empty());
  watch.drained();
  watch.poll();
  watch.poll();
  CHECK(azure.approved() == std::vector<std::string>{"spot"});
  azure.withdraw("spot");
  watch.poll();
  CHECK_FALSE(watch.wish());
}

TEST_CASE("an approval that is not heard is made again, with a bound") {
  azure_server azure;
  auto watch = watch_of(azure);
  azure.schedule("end", "Terminate", {"workers_0"}, 5min);
  watch.poll();
  watch.drained();
  azure.answer_next("POST /metadata", {"", test::http_answer(500, "", "")});
  auto seen = watch.poll();
  REQUIRE(seen.trouble);
  CHECK(seen.next == 1s);
  watch.poll();
  watch.poll();
  CHECK(azure.approved() == std::vector<std::string>{"end"});
  CHECK_FALSE(watch.poll().trouble);
  // One that is never taken is given up.
  azure.withdraw("end");
  watch.poll();
  azure.schedule("next", "Terminate", {"workers_0"}, 5min);
  azure.answer_next("POST /metadata", std::vector<std::string>(50, test::http_answer(400, "", "")));
  watch.poll();
  watch.drained();
  for (int poll = 0; poll < 30; ++poll) watch.poll();
  CHECK(azure.count("POST /metadata") == 13);
}

TEST_CASE("where there is no metadata service that is said once, and asked less and less often") {
  int port = 0;
  { // one that nobody listens at
    const azure_server gone;
    port = std::stoi(gone.address().substr(gone.address().rfind(':') + 1));
  }
  event_watch_options options;
  options.endpoint = "http://127.0.0.1:" + std::to_string(port);
  event_watch watch{options};
  int told = 0;
  std::vector<std::chrono::milliseconds> pauses;
  for (int poll = 0; poll < 9; ++poll) {
    const auto seen = watch.poll();
    if (seen.trouble) {
      ++told;
      CHECK(holds(seen.trouble->message, "metadata service"));
    }
    pauses.push_back(seen.next);
  }
  CHECK(told == 1);
  CHECK(pauses == std::vector<std::chrono::milliseconds>{1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s});
  CHECK_FALSE(watch.wish());
  watch.drained(); // of no event
}

TEST_CASE("an outage of the metadata service leaves the wish as it was, and polling goes on") {
  azure_server azure;
  auto watch = watch_of(azure);
  azure.schedule("end", "Terminate", {"workers_0"}, 5min);
  watch.poll();
  const auto wish = watch.wish();
  azure.answer_next("GET /metadata/scheduledevents",
                    {"", test::http_answer(410, "", ""), test::http_answer(200, "", "{\"Documen")});
  CHECK(watch.poll().next == 1s);
  CHECK(watch.poll().next == 1s);
  const auto cut = watch.poll();
  REQUIRE(cut.trouble);
  CHECK(cut.trouble->code == core::errc::corrupt);
  CHECK(watch.wish() == wish);
  CHECK_FALSE(watch.poll().trouble);
}
