#include "actors/remote_head.hpp"

#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/actors/fixture.hpp"
#include "tests/unit/actors/link_end.hpp"

using namespace penstock;
using namespace penstock::actors;

namespace {

using words = std::vector<std::string>;

/// A worker that only writes down what it is told, with the local names of its leases.
worker_actor::behavior_type recording_worker(worker_actor::pointer, std::shared_ptr<words> to,
                                             std::shared_ptr<std::vector<core::segment_id>> opened) {
  const auto say = [to](const std::string& what, const core::segment_id& id) {
    to->push_back(fmt::format("{} {}/{}", what, id.epoch, id.number));
  };
  return {
      [say, opened](const open_segment& m) {
        say("open", m.segment);
        opened->push_back(m.segment);
      },
      [say](const segment_packets& m) { say(fmt::format("{} packets of", m.packets.size()), m.segment); },
      [say](const close_segment& m) { say("close", m.segment); },
      [say](const revoke_segment& m) { say("revoke", m.segment); },
  };
}

constexpr core::segment_id segment(std::uint64_t number, std::uint32_t epoch = 7) { return {{1}, epoch, number}; }

/// The actor on a real link to a head that the test plays.
struct world : deterministic {
  link_end far, near;
  std::unique_ptr<transport::hub> head_hub;
  std::shared_ptr<transport::hub> hub;
  std::string address;
  std::shared_ptr<words> heard = std::make_shared<words>();
  std::shared_ptr<std::vector<core::segment_id>> opened = std::make_shared<std::vector<core::segment_id>>();
  remote_head_actor actor;
  worker_actor stages;
  transport::peer_id worker{};
  int left = 0;
  std::string refusal;
  std::vector<core::worker_phase> phases;
  std::vector<core::stage_figures> figures{{core::stage::decode, 12, std::chrono::seconds{3}, core::resource::cpu, 4}};

  /// `introduced_last`: the link and the stages are there before the worker says what it takes.
  /// `attached_last`: the link is there before the model is loaded.
  explicit world(std::size_t queue_messages = 4096, bool introduced_last = false, bool attached_last = false) {
    transport::hub_options options;
    options.queue_messages = queue_messages;
    hub = *transport::hub::start(std::move(options));
    listen("tcp://127.0.0.1:0");
    remote_head_config config;
    config.hub = hub;
    config.hello.name = "w";
    config.hello.stages = {"decode"};
    config.on_left = [this] { ++left; };
    config.on_refused = [this](std::string why) { refusal = std::move(why); };
    config.on_phase = [this](core::worker_phase phase) { phases.push_back(phase); };
    actor = system.spawn(remote_head, config);
    stages = system.spawn(recording_worker, heard, opened);
    run();
    const auto introduce = [this] {
      caf::anon_send(actor, worker_hello{{}, 2, 3});
      caf::anon_send(actor, worker_credit{{}, 2});
      run();
    };
    const auto connect = [this] {
      REQUIRE(hub->dial(address, near.events()));
      pass_on();
    };
    if (attached_last) {
      connect();
      const auto said = hello();
      CHECK(said.warming);
      CHECK(said.name == "w");
    }
    if (!introduced_last) introduce();
    attach_worker attached{stages};
    attached.figures = [this] { return figures; };
    caf::anon_send(actor, std::move(attached));
    run();
    if (!attached_last) connect();
    if (introduced_last) introduce();
    const auto said = hello();
    CHECK_FALSE(said.warming);
    CHECK(said.name == "w");
    CHECK(said.bulk_segments == 2);
    CHECK(said.live_streams == 3);
  }
  ~world() {
    caf::anon_send_exit(stages, caf::exit_reason::kill);
    caf::anon_send_exit(actor, caf::exit_reason::kill);
    run();
  }

  void listen(const std::string& where) {
    head_hub = *transport::hub::start({});
    address = *head_hub->listen(where, far.events(), false);
  }
  transport::hello hello() {
    const auto event = far.next_event<link_message>();
    worker = event.peer;
    REQUIRE(std::holds_alternative<transport::hello>(*event.message));
    return std::get<transport::hello>(*event.message);
  }
  void from_head(const transport::message& m) {
    REQUIRE(head_hub->send(worker, m) == transport::send_result::queued);
    pass_on();
  }
  void welcome(std::uint32_t epoch = 7) {
    transport::welcome m;
    m.worker = {5};
    m.epoch = epoch;
    m.lease_timeout = std::chrono::milliseconds{3000};
    from_head(m);
  }
  void pass_on() {
    auto event = near.next();
    std::visit([this](auto& e) { caf::anon_send(actor, std::move(e)); }, event);
    run();
  }
  void lease(std::uint64_t number) {
    from_head(transport::open_segment{segment(number), std::make_shared<core::codec_description>(), false});
  }
  void to_head(const frame_outcomes& m) {
    caf::anon_send(actor, m);
    run();
  }
  void done(core::segment_id local) {
    caf::anon_send(actor, segment_done{{}, local});
    run();
  }
  void credit(std::uint32_t segments) {
    caf::anon_send(actor, worker_credit{{}, segments});
    run();
  }
  void leave(std::chrono::microseconds grace) {
    caf::anon_send(actor, leave_fleet{grace});
    run();
  }
  std::optional<core::worker_figures> next_figures() {
    pass(std::chrono::seconds{1});
    while (true) {
      const auto event = far.next();
      if (const auto* m = std::get_if<link_message>(&event))
        if (const auto* beat = std::get_if<transport::heartbeat>(m->message.get())) return beat->figures;
    }
  }
  words said() { return std::exchange(*heard, {}); }
};

frame_outcomes outcome_of(core::segment_id local) {
  frame_outcomes m;
  m.outcomes.resize(1);
  m.outcomes[0].id = {local, 4};
  return m;
}

} // namespace

TEST_CASE("a worker joins with its capacity, in whichever order the head's handle hears of it", "[actors][fleet]") {
  world w{4096, true};
  w.welcome();
  CHECK(std::get<transport::credit>(*w.far.next_event<link_message>().message).segments == 2);
}

TEST_CASE("a worker says what it can do and grants what it has free once it is welcome", "[actors][fleet]") {
  world w;
  w.welcome();
  CHECK(w.far.next_message<transport::credit>().segments == 2);
  w.credit(1);
  CHECK(w.far.next_message<transport::credit>().segments == 1);
}

TEST_CASE("leases reach the stages under local names, and results go back under their own", "[actors][fleet]") {
  world w;
  w.welcome();
  static_cast<void>(w.far.next_message<transport::credit>());
  w.lease(3);
  w.from_head(transport::segment_packets{segment(3), {{0, true, std::make_shared<core::packet>()}}});
  w.from_head(transport::close_segment{segment(3)});
  CHECK(w.said() == words{"open 1/3", "1 packets of 1/3", "close 1/3"});
  w.to_head(outcome_of(w.opened->at(0)));
  const auto outcomes = w.far.next_message<transport::outcomes>().outcomes;
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].id == core::result_id{segment(3), 4});
  w.done(w.opened->at(0));
  CHECK(w.far.next_message<transport::segment_done>().segment == segment(3));
}

TEST_CASE("what is left of a revoked lease is not taken for the next lease of the same segment", "[actors][fleet]") {
  world w;
  w.welcome();
  static_cast<void>(w.far.next_message<transport::credit>());
  w.lease(3);
  w.from_head(transport::revoke_segment{segment(3)});
  w.lease(3);
  CHECK(w.said() == words{"open 1/3", "revoke 1/3", "open 2/3"});
  w.to_head(outcome_of(w.opened->at(0)));
  w.done(w.opened->at(0));
  w.done(w.opened->at(1));
  CHECK(w.far.next_message<transport::segment_done>().segment == segment(3));
}

TEST_CASE("a worker that was given up forgets its leases and joins anew with all that it has free", "[actors][fleet]") {
  world w;
  w.welcome();
  static_cast<void>(w.far.next_message<transport::credit>());
  w.lease(3);
  w.from_head(transport::refused{transport::protocol_version, true, "it was silent for too long"});
  CHECK(w.said() == words{"open 1/3", "revoke 1/3"});
  static_cast<void>(w.hello());
  // A lease that was on its way to the worker that it was, and a second refusal of what it had sent.
  w.lease(4);
  w.from_head(transport::refused{transport::protocol_version, true, "it is not known (any more)"});
  CHECK(w.said().empty());
  w.credit(1); // of the revoked lease
  w.welcome();
  CHECK(w.far.next_message<transport::credit>().segments == 2);
}

TEST_CASE("a worker joins the next life of its head by itself, and what it knew of the one before is void",
          "[actors][fleet]") {
  world w;
  w.welcome();
  static_cast<void>(w.far.next_message<transport::credit>());
  w.lease(3);
  w.head_hub.reset();
  w.pass_on();
  CHECK(w.said() == words{"open 1/3", "revoke 1/3"});
  w.to_head(outcome_of(w.opened->at(0)));
  w.credit(1);
  w.listen(w.address);
  w.pass_on(); // connected again
  static_cast<void>(w.hello());
  w.welcome(8);
  CHECK(w.far.next_message<transport::credit>().segments == 2);
}

TEST_CASE("a worker that leaves finishes its leases, also those that were on the way", "[actors][fleet]") {
  world w;
  w.welcome();
  static_cast<void>(w.far.next_message<transport::credit>());
  w.lease(3);
  w.leave(std::chrono::hours{1});
  static_cast<void>(w.far.next_message<transport::drain>());
  w.done(w.opened->at(0));
  static_cast<void>(w.far.next_message<transport::segment_done>());
  CHECK(w.left == 0); // the head may have sent something meanwhile
  w.lease(4);
  w.from_head(transport::drain{});
  CHECK(w.left == 0);
  w.credit(1); // it says nothing of that any more
  w.done(w.opened->at(1));
  CHECK(w.far.next_message<transport::segment_done>().segment == segment(4));
  CHECK(w.far.next_message<transport::bye>().reason == "drained");
  CHECK(w.left == 1);
}

TEST_CASE("a worker leaves at once where it has no time, or no head", "[actors][fleet]") {
  world w;
  SECTION("no time") {
    w.welcome();
    static_cast<void>(w.far.next_message<transport::credit>());
    w.lease(3);
    w.leave(std::chrono::seconds{0});
    static_cast<void>(w.far.next_message<transport::drain>());
    CHECK(w.far.next_message<transport::bye>().reason == "its time to finish was over");
  }
  SECTION("no head") { w.leave(std::chrono::hours{1}); }
  CHECK(w.left == 1);
}

TEST_CASE("a refusal and another version of the protocol end a worker with the reason", "[actors][fleet]") {
  world w;
  SECTION("refused") {
    w.from_head(transport::refused{transport::protocol_version, false, "its topology has other stages"});
    CHECK(w.refusal == "its topology has other stages");
  }
  SECTION("what comes is of another version") {
    caf::anon_send(w.actor, link_down{{1}, {core::errc::unsupported, "version 2 instead of 1"}});
    w.run();
    CHECK(w.refusal == "version 2 instead of 1");
  }
}

TEST_CASE("where the head takes no results nothing is lost one by one: the worker joins anew", "[actors][fleet]") {
  constexpr std::size_t queue = 8;
  world w{queue};
  w.welcome();
  static_cast<void>(w.far.next_message<transport::credit>());
  w.lease(3);
  // More than the queue holds, as one batch of work of this thread: the hub's thread may take some meanwhile.
  for (int i = 0; i < 20'000 && w.heard->back() != "revoke 1/3"; ++i) w.to_head(outcome_of(w.opened->at(0)));
  REQUIRE(w.said() == words{"open 1/3", "revoke 1/3"});
  // It tries again and again until there is room.
  bool again = false;
  for (int i = 0; i < 2000 && !again; ++i) {
    w.pass(std::chrono::seconds{1});
    while (const auto event = w.far.poll(std::chrono::milliseconds{10})) {
      const auto& m = *std::get<link_message>(*event).message;
      again = again || std::holds_alternative<transport::hello>(m);
    }
  }
  CHECK(again);
}

TEST_CASE("a worker tells its head what it has done, and where it is in its life", "[actors][fleet]") {
  world w;
  w.welcome();
  static_cast<void>(w.far.next_message<transport::credit>());
  CHECK(w.next_figures() == core::worker_figures{core::worker_phase::ready, w.figures});
  w.lease(3);
  w.leave(std::chrono::hours{1});
  CHECK(w.next_figures() == core::worker_figures{core::worker_phase::draining, w.figures});
  using enum core::worker_phase;
  CHECK(w.phases == std::vector{warming, ready, draining});
}

TEST_CASE("a worker is announced while its model loads, and joins once, whatever answers are on their way",
          "[actors][fleet]") {
  world w{4096, false, true};
  w.welcome(); // of the announcement, which is over
  CHECK_FALSE(w.far.poll(std::chrono::milliseconds{0}));
  w.welcome();
  CHECK(w.far.next_message<transport::credit>().segments == 2);
  w.lease(3);
  CHECK(w.said() == words{"open 1/3"});
  using enum core::worker_phase;
  CHECK(w.phases == std::vector{warming, ready});
}

TEST_CASE("a worker that leaves while its model loads says bye", "[actors][fleet]") {
  deterministic d;
  link_end far, near;
  const auto head_hub = *transport::hub::start({});
  const std::shared_ptr<transport::hub> hub = *transport::hub::start({});
  const auto address = *head_hub->listen("tcp://127.0.0.1:0", far.events(), false);
  int left = 0;
  remote_head_config config;
  config.hub = hub;
  config.hello.stages = {"decode"};
  config.on_left = [&left] { ++left; };
  const auto actor = d.system.spawn(remote_head, config);
  d.run();
  REQUIRE(hub->dial(address, near.events()));
  caf::anon_send(actor, near.next_event<link_up>());
  d.run();
  CHECK(far.next_message<transport::hello>().warming);
  caf::anon_send(actor, leave_fleet{std::chrono::hours{1}});
  d.run();
  CHECK(far.next_message<transport::bye>().reason == "not joined");
  CHECK(left == 1);
  caf::anon_send_exit(actor, caf::exit_reason::kill);
  d.run();
}
