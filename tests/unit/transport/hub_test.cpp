#include "transport/hub.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "tests/unit/transport/link.hpp"
#include "tests/unit/transport/messages.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using test::mailbox;
using test::pair_of_hubs;
using transport::send_result;

namespace {

std::vector<std::byte> bytes_of(const transport::message& m) {
  transport::parts p;
  encode(m, p);
  auto all = p.header;
  for (const auto& part : p.payloads) all.insert(all.end(), part.bytes.begin(), part.bytes.end());
  return all;
}

transport::segment_packets packets_of(std::uint32_t number, std::string_view text) {
  return {{{1}, 1, number}, {{0, true, test::packet_of(text)}}};
}

std::uint32_t number_of(const transport::message& m) { return std::get<transport::segment_packets>(m).segment.number; }

} // namespace

TEST_CASE("messages arrive in order and bit for bit, both ways") {
  pair_of_hubs link;
  std::vector<transport::message> sent;
  for (int round = 0; round < 50; ++round) {
    for (auto& m : test::one_of_each()) sent.push_back(std::move(m.message));
    for (auto& m : test::large_ones()) sent.push_back(std::move(m.message));
  }
  for (const auto& m : sent) {
    REQUIRE(link.worker->send(link.to_head, m) == send_result::queued);
    REQUIRE(link.head->send(link.to_worker, m) == send_result::queued);
  }
  const auto arrived = [&](mailbox& at, std::size_t before) {
    REQUIRE(at.letters_are(before + sent.size()));
    for (std::size_t i = 0; i < sent.size(); ++i) CHECK(bytes_of(at.letters[before + i].message) == bytes_of(sent[i]));
  };
  arrived(link.at_head, 1);
  arrived(link.at_worker, 0);
  const auto c = link.head->counters();
  CHECK(c.messages_sent == sent.size());
  CHECK(c.messages_received == sent.size() + 1);
  CHECK(c.bytes_received > c.bytes_sent); // the hello
  CHECK(c.refused_messages + c.refused_full + c.connections_lost == 0);
}

TEST_CASE("large payloads are sent from the memory they are in, which is kept until then and no longer") {
  pair_of_hubs link;
  auto packet = test::packet_of(std::string(100'000, 'x'));
  const std::weak_ptr<const void> memory{packet->owner};
  REQUIRE(link.head->send(link.to_worker, transport::segment_packets{{}, {{0, true, std::move(packet)}}}) ==
          send_result::queued);
  REQUIRE(link.at_worker.letters_are(1));
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!memory.expired() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(memory.expired());
}

TEST_CASE("nothing is sent to peers that are not there") {
  mailbox box;
  auto hub = test::hub_of();
  CHECK(hub->send({77}, transport::heartbeat{}) == send_result::gone);
  const auto nowhere = hub->dial("tcp://127.0.0.1:1", box.events());
  REQUIRE(nowhere);
  CHECK(hub->send(*nowhere, transport::heartbeat{}) == send_result::gone);
  REQUIRE(box.wait([](auto& m) { return m.failures.size() >= 3; })); // it tries again and again
  CHECK(box.look([](auto& m) { return m.failures[0].why.code; }) == core::errc::unavailable);
  CHECK(box.look([](auto& m) { return m.failures[0].why.message; }) == "tcp://127.0.0.1:1: no connection");
}

TEST_CASE("addresses that are none are refused when they are given") {
  mailbox box;
  auto hub = test::hub_of();
  CHECK(hub->dial("nonsense", box.events()).error().code == core::errc::bad_config);
  CHECK(hub->dial("pigeon://here", box.events()).error().code == core::errc::bad_config);
  CHECK(hub->listen("tcp://nonsense", box.events(), true).error().code == core::errc::bad_config);
  const auto first = hub->listen("tcp://127.0.0.1:*", box.events(), false);
  REQUIRE(first);
  const auto second = hub->listen(*first, box.events(), false);
  CHECK(second.error().code == core::errc::io);
  CHECK(second.error().message.starts_with(*first));
}

TEST_CASE("without keys nobody listens beyond loopback, unless that is written out") {
  mailbox box;
  auto hub = test::hub_of();
  const auto refused = hub->listen("tcp://0.0.0.0:*", box.events(), false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::bad_config);
  CHECK(refused.error().message.find("penstock keys") != std::string::npos);
  CHECK_FALSE(hub->listen("tcp://*:*", box.events(), false));
  CHECK(hub->listen("tcp://0.0.0.0:*", box.events(), true));
}

TEST_CASE("a dialler is connected again when the listener is back on its port") {
  mailbox at_worker;
  mailbox at_head;
  auto worker = test::hub_of();
  auto head = test::hub_of();
  const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
  const auto to_head = worker->dial(address, at_worker.events()).value();
  for (std::size_t life = 1; life <= 3; ++life) {
    REQUIRE(at_worker.wait([&](auto& m) { return m.ups.size() == life; }));
    REQUIRE(worker->send(to_head, test::hello_of("w")) == send_result::queued);
    REQUIRE(at_head.letters_are(life));
    head.reset();
    REQUIRE(at_worker.wait([&](auto& m) { return m.losts.size() == life; }));
    CHECK(worker->send(to_head, transport::heartbeat{}) == send_result::gone);
    head = test::hub_of();
    REQUIRE(head->listen(address, at_head.events(), false));
  }
  CHECK(at_head.look([](auto& m) { return m.losts.size(); }) == 0);
}

TEST_CASE("the end of a process is seen at once") {
  mailbox at_head;
  const auto dies = [&](bool child_listens) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    // The parent listens or dials only once the child exists: nobody forks while threads run.
    std::array<char, 64> text{};
    if (child == 0) {
      mailbox at_worker;
      auto hub = test::hub_of();
      if (child_listens) {
        const auto address = hub->listen("tcp://127.0.0.1:*", at_worker.events(), false).value();
        if (::write(pipe[1], address.c_str(), address.size() + 1) < 0) ::_exit(1);
      } else {
        if (::read(pipe[0], text.data(), text.size()) <= 0) ::_exit(1);
        const auto peer = hub->dial(text.data(), at_worker.events()).value();
        if (!at_worker.wait([](auto& m) { return !m.ups.empty(); })) ::_exit(1);
        static_cast<void>(hub->send(peer, test::hello_of("w")));
      }
      while (true) ::pause();
    }
    mailbox box;
    auto head = test::hub_of();
    if (child_listens) {
      REQUIRE(::read(pipe[0], text.data(), text.size()) > 0);
      REQUIRE(head->dial(text.data(), box.events()));
      REQUIRE(box.wait([](auto& m) { return !m.ups.empty(); }));
    } else {
      const auto address = head->listen("tcp://127.0.0.1:*", box.events(), false).value();
      REQUIRE(::write(pipe[1], address.c_str(), address.size() + 1) > 0);
      REQUIRE(box.letters_are(1));
    }
    const auto killed = std::chrono::steady_clock::now();
    ::kill(child, SIGKILL);
    REQUIRE(box.wait([](auto& m) { return !m.losts.empty(); }));
    CHECK(box.look([](auto& m) { return m.losts[0].when; }) - killed < 300ms);
    CHECK(box.look([](auto& m) { return m.losts[0].why.code; }) == core::errc::unavailable);
    CHECK(head->counters().connections_lost == 1);
    ::waitpid(child, nullptr, 0);
    ::close(pipe[0]);
    ::close(pipe[1]);
    head.reset();
  };
  dies(false);
  dies(true);
}

TEST_CASE("what a peer sent before it ended arrives before its end") {
  for (int i = 0; i < 20; ++i) {
    mailbox at_worker;
    mailbox at_head;
    auto head = test::hub_of();
    const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
    auto worker = test::hub_of();
    const auto to_head = worker->dial(address, at_worker.events()).value();
    REQUIRE(at_worker.wait([](auto& m) { return !m.ups.empty(); }));
    REQUIRE(worker->send(to_head, test::hello_of("w")) == send_result::queued);
    for (std::uint32_t n = 0; n < 500; ++n) REQUIRE(worker->send(to_head, packets_of(n, "x")) == send_result::queued);
    REQUIRE(worker->send(to_head, transport::bye{"done"}) == send_result::queued);
    worker.reset();
    REQUIRE(at_head.wait([](auto& m) { return !m.losts.empty(); }));
    CHECK(at_head.look([](auto& m) { return m.letters.size(); }) == 502);
    CHECK(at_head.look([](auto& m) { return std::holds_alternative<transport::bye>(m.letters.back().message); }));
  }
}

TEST_CASE("a full queue says so, and takes messages again when there is room") {
  transport::hub_options small;
  small.queue_messages = 10;
  small.stuck = 60s;
  // The worker's own thread is kept busy, so that it reads nothing: queues fill from the far end to the near one.
  std::mutex hold;
  std::unique_lock held{hold};
  mailbox at_head;
  auto head = test::hub_of(small);
  const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
  mailbox at_worker;
  std::vector<std::uint32_t> got;
  std::mutex got_lock;
  auto events = at_worker.events();
  events.received = [&, next = events.received](transport::peer_id p, transport::message&& m) {
    const std::lock_guard wait{hold};
    next(p, std::move(m));
  };
  auto worker = test::hub_of();
  const auto to_head = worker->dial(address, std::move(events)).value();
  REQUIRE(at_worker.wait([](auto& m) { return !m.ups.empty(); }));
  REQUIRE(worker->send(to_head, test::hello_of("w")) == send_result::queued);
  REQUIRE(at_head.letters_are(1));
  const auto peer = at_head.look([](auto& m) { return m.letters[0].from; });
  const std::string large(1U << 20U, 'x');
  const auto message = packets_of(0, large);
  std::uint32_t queued = 0;
  std::uint64_t full = 0;
  while (full < 1000) {
    auto numbered = message;
    numbered.segment.number = queued;
    const auto result = head->send(peer, numbered);
    REQUIRE(result != send_result::gone);
    if (result == send_result::queued)
      ++queued, full = 0;
    else
      ++full;
    if (full > 0) std::this_thread::yield();
    REQUIRE(queued < 2000);
  }
  CHECK(head->counters().refused_full >= 1000);
  CHECK(head->counters().messages_sent == queued);
  held.unlock();
  REQUIRE(at_worker.letters_are(queued));
  for (std::uint32_t i = 0; i < queued; ++i) REQUIRE(number_of(at_worker.letters[i].message) == i);
  CHECK(head->send(peer, message) == send_result::queued);
  CHECK(at_worker.letters_are(queued + 1));
}

TEST_CASE("close with flush sends what waits, and without it does not wait") {
  pair_of_hubs link;
  const std::string large(100'000, 'x');
  for (std::uint32_t i = 0; i < 200; ++i)
    REQUIRE(link.head->send(link.to_worker, packets_of(i, large)) == send_result::queued);
  link.head->close(link.to_worker);
  REQUIRE(link.at_worker.letters_are(200));
  // Now it is a stranger.
  REQUIRE(link.worker->send(link.to_head, transport::heartbeat{}) == send_result::queued);
  REQUIRE(link.at_worker.letters_are(201));
  const auto answer =
      std::get<transport::refused>(link.at_worker.look([](auto& m) { return m.letters.back().message; }));
  CHECK(answer.rejoin);
  CHECK(answer.reason == "say hello first");
  CHECK(link.head->send(link.to_worker, transport::heartbeat{}) == send_result::gone);
  // It may say hello, and is another peer.
  REQUIRE(link.worker->send(link.to_head, test::hello_of("w")) == send_result::queued);
  REQUIRE(link.at_head.letters_are(2));
  const auto again = link.at_head.look([](auto& m) { return m.letters.back().from; });
  CHECK(again != link.to_worker);
  // The dialling end closes: the connection ends.
  for (std::uint32_t i = 0; i < 200; ++i)
    REQUIRE(link.worker->send(link.to_head, packets_of(i, large)) == send_result::queued);
  link.worker->close(link.to_head);
  REQUIRE(link.at_head.letters_are(202));
  REQUIRE(link.at_head.wait([](auto& m) { return !m.losts.empty(); }));
  CHECK(link.at_worker.look([](auto& m) { return m.losts.size(); }) == 0);
}

TEST_CASE("close without flush ends the connection, and nothing more is heard") {
  pair_of_hubs link;
  link.worker->close(link.to_head, false);
  REQUIRE(link.at_head.wait([](auto& m) { return !m.losts.empty(); }));
  CHECK(link.worker->send(link.to_head, transport::heartbeat{}) == send_result::gone);
  CHECK(link.at_worker.look([](auto& m) { return m.losts.size() + m.letters.size(); }) == 0);
}

TEST_CASE("a hub may be used from what it tells") {
  mailbox at_head;
  mailbox others;
  auto head = test::hub_of();
  transport::hub* self = head.get();
  auto events = at_head.events();
  events.received = [&, next = events.received](transport::peer_id p, transport::message&& m) {
    // All of it while the hub goes through its end points.
    for (int i = 0; i < 8; ++i) static_cast<void>(self->listen("tcp://127.0.0.1:*", others.events(), false));
    static_cast<void>(self->dial("tcp://127.0.0.1:1", others.events()));
    static_cast<void>(self->send(p, transport::bye{"seen"}));
    self->close(p);
    next(p, std::move(m));
  };
  const auto address = head->listen("tcp://127.0.0.1:*", std::move(events), false).value();
  mailbox at_worker;
  auto worker = test::hub_of();
  const auto to_head = worker->dial(address, at_worker.events()).value();
  REQUIRE(at_worker.wait([](auto& m) { return !m.ups.empty(); }));
  REQUIRE(worker->send(to_head, test::hello_of("w")) == send_result::queued);
  REQUIRE(at_worker.letters_are(1));
  CHECK(at_worker.look([](auto& m) { return std::holds_alternative<transport::bye>(m.letters[0].message); }));
}

TEST_CASE("a thousand peers have a link each") {
  constexpr std::size_t n = 1000;
  mailbox at_head;
  mailbox at_workers;
  auto head = test::hub_of();
  const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
  auto workers = test::hub_of();
  std::vector<transport::peer_id> links;
  for (std::size_t i = 0; i < n; ++i) links.push_back(workers->dial(address, at_workers.events()).value());
  REQUIRE(at_workers.wait([](auto& m) { return m.ups.size() == n; }, 60s));
  for (std::size_t i = 0; i < n; ++i)
    REQUIRE(workers->send(links[i], test::hello_of(std::to_string(i))) == send_result::queued);
  REQUIRE(at_head.letters_are(n));
  for (std::size_t i = 0; i < n; ++i) {
    const auto letter = at_head.look([i](auto& m) { return m.letters[i]; });
    REQUIRE(head->send(letter.from, transport::bye{std::get<transport::hello>(letter.message).name}) ==
            send_result::queued);
  }
  REQUIRE(at_workers.letters_are(n));
  for (const auto& letter : at_workers.letters) {
    const auto i = std::stoul(std::get<transport::bye>(letter.message).reason);
    CHECK(letter.from == links[i]);
  }
  workers.reset();
  REQUIRE(at_head.wait([](auto& m) { return m.losts.size() == n; }, 60s));
  CHECK(head->counters().connections_lost == n);
}

TEST_CASE("a hub ends in good order while messages are under way") {
  for (int i = 0; i < 10; ++i) {
    pair_of_hubs link;
    std::atomic<bool> over{false};
    const auto pour = [&over](transport::hub& hub, transport::peer_id to) {
      const auto message = packets_of(0, std::string(20'000, 'x'));
      while (!over && hub.send(to, message) != send_result::gone) {
      }
    };
    std::thread down{[&] { pour(*link.head, link.to_worker); }};
    REQUIRE(link.at_worker.letters_are(1 + static_cast<std::size_t>(i) * 3));
    link.worker.reset(); // in the middle of receiving
    down.join();         // its end was seen
    over = true;
    REQUIRE(link.at_head.wait([](auto& m) { return !m.losts.empty(); }));
    link.head.reset();
  }
}
