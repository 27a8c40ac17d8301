#include <caf/exit_reason.hpp>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "actors/push_gate.hpp"
#include "tests/catch.hpp"
#include "tests/unit/actors/fixture.hpp"

namespace penstock::actors {

namespace {

namespace push = transport::push;
using words = std::vector<std::string>;

std::string told(const push::message& m) {
  if (const auto* c = std::get_if<push::credit>(&m))
    return fmt::format("credit {} {} {}", c->stream, c->packets, c->received);
  if (const auto* d = std::get_if<push::done>(&m))
    return fmt::format("done {} {}/{}", d->stream, d->delivered, d->received);
  return "error " + std::get<push::error>(m).message;
}

/// A gate with a head and producers that are played by the test.
struct world {
  deterministic sys;
  std::shared_ptr<words> heard = std::make_shared<words>(); ///< by the head
  std::shared_ptr<words> said = std::make_shared<words>();  ///< to producers
  push_outlet head;
  push_gate_actor gate;

  world() {
    head = sys.system.spawn([log = heard]() -> push_outlet::behavior_type {
      return {
          [log](const push_opening& m) { log->push_back("open " + m.name); },
          [log](const source_packets& m) {
            for (const auto& p : m.packets)
              log->push_back(fmt::format("packet {} {}{}{}", m.stream.value, p->pts.count(), m.codec ? " anew" : "",
                                         p->access == core::random_access::none ? "" : " key"));
          },
          [log](const source_trouble& m) { log->push_back(fmt::format("trouble {}", m.stream.value)); },
          [log](const source_ended& m) {
            log->push_back(fmt::format("ended {}{}", m.stream.value, m.error ? " badly" : ""));
          },
      };
    });
    push_gate_config config;
    config.send = [log = said](transport::peer_id, const push::message& m) { log->push_back(told(m)); };
    config.shut_out = [log = said](transport::peer_id, const push::error& m) { log->push_back("out: " + m.message); };
    config.live_window = 4;
    gate = sys.system.spawn(push_gate, config, head);
    sys.run();
  }

  ~world() {
    caf::anon_send_exit(gate, caf::exit_reason::kill);
    caf::anon_send_exit(head, caf::exit_reason::kill);
    sys.run();
  }

  template <class Message>
  void tell(const Message& message) {
    caf::anon_send(gate, message);
    sys.run();
  }

  void from(std::uint64_t peer, const push::message& m) {
    const auto sent = push::encode(m);
    const auto header = std::make_shared<std::vector<std::byte>>(sent.header);
    auto parts = std::make_shared<std::vector<transport::shared_bytes>>();
    parts->push_back({header, *header});
    parts->insert(parts->end(), sent.payloads.begin(), sent.payloads.end());
    tell(pushed_message{{peer}, parts});
  }

  void open(std::uint64_t peer, std::string stream = "a", bool again = false) {
    push::open m{std::move(stream), {}, std::nullopt, again};
    m.codec.codec = "mjpeg";
    from(peer, m);
  }

  void packet(std::uint64_t peer, std::int64_t pts_us, std::string stream = "a") {
    static const std::array<std::byte, 4> jpeg{std::byte{0xff}, std::byte{0xd8}, std::byte{0xff}, std::byte{0xd9}};
    push::packet m;
    m.stream = std::move(stream);
    m.pts_us = pts_us;
    m.bytes = {nullptr, jpeg};
    from(peer, m);
  }

  void admit(bool lossless, std::chrono::milliseconds away = std::chrono::seconds{10}) {
    tell(push_admitted{"a", {7}, lossless, away});
  }

  words take(std::shared_ptr<words>& from) { return std::exchange(*from, {}); }
};

} // namespace

TEST_CASE("a live producer gets a small window, and back what the head has taken", "[push]") {
  world w;
  w.open(1);
  w.admit(false);
  CHECK(w.take(w.heard) == words{"open a"});
  CHECK(w.take(w.said) == words{"credit a 4 0"});
  for (int i = 0; i < 4; ++i) w.packet(1, i * 40'000);
  CHECK(w.take(w.heard) == words{"packet 7 0 key", "packet 7 40000 key", "packet 7 80000 key", "packet 7 120000 key"});
  w.tell(push_taken{{7}, 1});
  CHECK(w.take(w.said) == words{"credit a 1 4"});
}

TEST_CASE("a lossless producer gets what the dispatcher grants", "[push]") {
  world w;
  w.open(1);
  w.admit(true);
  CHECK(w.take(w.said).empty());
  w.tell(push_grant{{7}, 32});
  CHECK(w.take(w.said) == words{"credit a 32 0"});
}

TEST_CASE("a packet without credit ends its connection and reaches nobody", "[push]") {
  world w;
  w.open(1);
  w.packet(1, 0); // no answer yet
  CHECK(w.take(w.said) == words{"out: a packet of a without credit"});
  CHECK(w.take(w.heard) == words{"open a"});
}

TEST_CASE("packets and ends of streams that a connection has not opened are refused", "[push]") {
  world w;
  w.open(1);
  w.admit(true);
  w.tell(push_grant{{7}, 32});
  w.take(w.said);
  w.packet(2, 0);
  w.from(3, push::end{"a"});
  w.from(4, push::credit{"a", 100, 0, push::policy::live});
  CHECK(w.take(w.said) == words{"out: a packet of a stream that this connection has not opened",
                                "out: the end of a stream that this connection has not opened",
                                "out: only a head sends this"});
  w.open(5);
  CHECK(w.take(w.said) == words{"error another connection pushes this stream"});
  w.packet(1, 0);
  CHECK(w.heard->back() == "packet 7 0 key");
}

TEST_CASE("a lossless producer that comes back goes on where the head is, with the credit that is left", "[push]") {
  world w;
  w.open(1);
  w.admit(true);
  w.tell(push_grant{{7}, 10});
  w.packet(1, 0);
  w.packet(1, 40'000);
  w.tell(pusher_gone{{1}, {core::errc::unavailable, "cut"}});
  w.take(w.said);
  w.open(2);
  CHECK(w.take(w.said) == words{"credit a 0 2", "credit a 8 2"});
  w.take(w.heard);
  w.packet(2, 80'000);
  CHECK(w.take(w.heard) == words{"packet 7 80000 key"});
}

TEST_CASE("a live producer that comes back begins anew behind what came before", "[push]") {
  world w;
  w.open(1);
  w.admit(false);
  w.packet(1, 40'000);
  w.tell(pusher_gone{{1}, {core::errc::unavailable, "cut"}});
  w.open(2);
  w.take(w.heard);
  w.packet(2, 0); // its clock starts again
  CHECK(w.take(w.heard) == words{"packet 7 40001 anew key"});
}

TEST_CASE("a producer that stays away ends its stream, which a lossless one did not mean", "[push]") {
  for (const bool lossless : {false, true}) {
    world w;
    w.open(1);
    w.admit(lossless, std::chrono::milliseconds{0});
    w.tell(pusher_gone{{1}, {core::errc::unavailable, "cut"}});
    w.take(w.heard);
    w.sys.pass(std::chrono::seconds{1});
    CHECK(w.take(w.heard) == words{lossless ? "ended 7 badly" : "ended 7"});
  }
}

TEST_CASE("the account of a stream goes to its producer, and once more to one that says it missed it", "[push]") {
  world w;
  w.open(1);
  w.admit(true);
  w.from(1, push::end{""});
  CHECK(w.heard->back() == "ended 7");
  dispatch::ledger ledger;
  ledger.received = 3;
  ledger.delivered = 2;
  w.tell(push_finished{{7}, ledger});
  CHECK(w.take(w.said) == words{"done a 2/3"});
  w.open(2, "a", true);
  w.open(3, "a");
  CHECK(w.take(w.said) == words{"done a 2/3", "error the stream has ended"});
}

TEST_CASE("what a connection sent before it was shut out opens no stream, which others may still bring", "[push]") {
  world w;
  w.packet(1, 0); // of no stream
  w.open(1);
  w.from(1, push::end{"a"});
  CHECK(w.take(w.said) == words{"out: a packet of a stream that this connection has not opened"});
  CHECK(w.take(w.heard).empty());
  w.open(2);
  CHECK(w.take(w.said).empty());
  CHECK(w.take(w.heard) == words{"open a"});
  w.tell(pusher_gone{{1}, {core::errc::unavailable, "shut out"}});
  w.admit(false);
  CHECK(w.take(w.said) == words{"credit a 4 0"});
}

TEST_CASE("a producer that is refused again and again is shut out", "[push]") {
  world w;
  w.open(1);
  w.admit(true);
  for (int i = 0; i < 21; ++i) w.open(2);
  CHECK(w.said->back() == "out: it was refused too often");
}

} // namespace penstock::actors
