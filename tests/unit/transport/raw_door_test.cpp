#include "transport/raw_door.hpp"

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "tests/unit/transport/link.hpp"

using namespace penstock;
using namespace std::chrono_literals;

namespace {

/// Not kept, and slower to take than to send: where enough of it comes, there is always more.
constexpr const char* load = "load";

void be_slow() {
  const auto until = std::chrono::steady_clock::now() + 50us;
  while (std::chrono::steady_clock::now() < until) {
  }
}

/// A door, and what it told in order.
struct door_world {
  struct event {
    transport::peer_id peer;
    std::string text; ///< of a message's first part
    bool lost = false;
  };

  explicit door_world(transport::raw_options options = {}) {
    transport::raw_events to;
    to.received = [this](transport::peer_id peer, std::vector<transport::shared_bytes>&& parts) {
      const auto bytes = parts.front().bytes;
      const std::string text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
      if (text == load) return ++loads, be_slow();
      note({peer, text, false});
    };
    to.lost = [this](transport::peer_id peer, const core::error& why) { note({peer, why.message, true}); };
    auto opened = transport::raw_door::open(*hub, "tcp://127.0.0.1:*", std::move(to), false, std::move(options));
    if (!opened) FAIL(opened.error().message);
    door = std::move(*opened);
  }

  void note(event e) {
    const std::lock_guard lock{mutex};
    events.push_back(std::move(e));
    changed.notify_all();
  }
  /// The event with that number, once there is one.
  event at(std::size_t n) {
    std::unique_lock lock{mutex};
    REQUIRE(changed.wait_for(lock, 20s, [&] { return events.size() > n; }));
    return events[n];
  }
  std::size_t count() {
    const std::lock_guard lock{mutex};
    return events.size();
  }

  zmq::socket_t producer(const std::string& routing_id = {}) {
    zmq::socket_t made{context, zmq::socket_type::dealer};
    made.set(zmq::sockopt::linger, 0);
    made.set(zmq::sockopt::rcvtimeo, 20'000);
    if (!routing_id.empty()) made.set(zmq::sockopt::routing_id, routing_id);
    made.connect(door->address());
    return made;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<event> events;
  std::atomic<std::uint64_t> loads{0};
  zmq::context_t context;
  std::unique_ptr<transport::hub> hub = test::hub_of();
  std::unique_ptr<transport::raw_door> door;
};

void say(zmq::socket_t& from, std::string_view text) { from.send(zmq::buffer(text), zmq::send_flags::none); }

transport::parts words(std::string_view text) {
  const std::span bytes{reinterpret_cast<const std::byte*>(text.data()), text.size()};
  transport::parts made;
  made.header.assign(bytes.begin(), bytes.end());
  return made;
}

} // namespace

TEST_CASE("a producer that is shut out hears why, is lost once behind what it sent, and is not listened to") {
  door_world w;
  auto banned = w.producer();
  say(banned, "one");
  const auto peer = w.at(0).peer;
  w.door->shut_out(peer, words("out"));
  zmq::message_t heard;
  REQUIRE(banned.recv(heard));
  CHECK(heard.to_string() == "out");
  CHECK(w.at(1).lost);
  CHECK(w.at(1).peer == peer);
  w.door->shut_out(peer, words("again"));
  REQUIRE(banned.recv(heard));
  say(banned, "two");
  while (w.door->refused_messages() < 3) std::this_thread::yield(); // twice shut out, and what it said
  banned.close();
  auto other = w.producer();
  say(other, "three");
  CHECK(w.at(2).text == "three");
  CHECK(w.at(2).peer != peer);
  CHECK(w.count() == 3);
}

TEST_CASE("the end of a connection is told while others never pause") {
  door_world w;
  auto ends = w.producer();
  say(ends, "one");
  const auto peer = w.at(0).peer;
  std::atomic<bool> over{false};
  std::thread busy{[&] {
    auto others = w.producer();
    others.set(zmq::sockopt::sndtimeo, 100);
    while (!over) static_cast<void>(others.send(zmq::buffer(std::string_view{load}), zmq::send_flags::none));
  }};
  while (w.loads < 1000) std::this_thread::yield();
  ends.close();
  {
    std::unique_lock lock{w.mutex};
    CHECK(w.changed.wait_for(lock, 20s, [&] { return w.events.size() > 1; }));
  }
  over = true;
  busy.join();
  CHECK(w.at(1).lost);
  CHECK(w.at(1).peer == peer);
}

TEST_CASE("a producer may have as many answers waiting as the door says, and is lost beyond") {
  constexpr std::size_t sent = 3000;
  const std::string large(std::size_t{16} << 10U, 'x'); // 48 MiB, more than connections hold by themselves
  transport::raw_options options;
  const bool enough = GENERATE(true, false);
  options.answers = enough ? sent : 100;
  door_world w{options};
  auto reads_late = w.producer();
  say(reads_late, "one");
  const auto peer = w.at(0).peer;
  for (std::size_t i = 0; i < sent; ++i) w.door->send(peer, words(large));
  if (!enough) {
    CHECK(w.at(1).lost);
    return;
  }
  zmq::message_t answer;
  for (std::size_t i = 0; i < sent; ++i) REQUIRE(reads_late.recv(answer));
  CHECK(w.count() == 1);
}
