#include <array>
#include <random>
#include <zmq.hpp>

#include "tests/unit/transport/link.hpp"
#include "tests/unit/transport/messages.hpp"
#include "tests/unit/transport/tcp.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using test::counts;
using test::mailbox;
using test::pair_of_hubs;
using transport::send_result;

namespace {

/// A link that works, and a stranger's DEALER beside it.
struct stranger : pair_of_hubs {
  explicit stranger(transport::hub_options options = {}) : pair_of_hubs{std::move(options)} {
    dealer.set(zmq::sockopt::linger, 0);
    dealer.set(zmq::sockopt::rcvtimeo, 20'000);
    dealer.connect(address);
  }

  void send(const std::vector<std::byte>& header, bool more = false) {
    dealer.send(zmq::buffer(header), more ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
  void send(const transport::message& m) {
    transport::parts p;
    encode(m, p);
    send(p.header);
  }
  transport::refused answer() {
    zmq::message_t got;
    REQUIRE(dealer.recv(got));
    const std::span bytes{static_cast<const std::byte*>(got.data()), got.size()};
    const auto read = transport::decode(bytes, {});
    REQUIRE(read);
    return std::get<transport::refused>(*read);
  }
  /// The other link still does all it should.
  void check_others() {
    const auto before = at_head.look([](auto& m) { return m.letters.size(); });
    REQUIRE(worker->send(to_head, transport::heartbeat{}) == send_result::queued);
    CHECK(at_head.letters_are(before + 1));
    CHECK(at_head.look([](auto& m) { return m.letters.back().from; }) == to_worker);
  }

  zmq::context_t context;
  zmq::socket_t dealer{context, zmq::socket_type::dealer};
};

} // namespace

TEST_CASE("bytes that are not ZMTP disturb nobody") {
  pair_of_hubs link;
  std::mt19937_64 random{7};
  std::vector<test::descriptor> open;
  for (int i = 0; i < 50; ++i) {
    auto connection = test::tcp_connection(test::port_of(link.address));
    std::string noise = i % 2 == 0 ? "GET / HTTP/1.1\r\nHost: here\r\n\r\n" : "\xff";
    for (int n = 0; n < 200; ++n) noise += static_cast<char>(random());
    static_cast<void>(test::write_all(connection.get(), noise));
    if (i % 3 != 0) open.push_back(std::move(connection));
  }
  // Those that are closed are counted; the others at the latest when their time to shake hands is over.
  CHECK(counts(*link.head, [](const auto& c) { return c.ended_early >= 17; }));
  REQUIRE(link.worker->send(link.to_head, transport::heartbeat{}) == send_result::queued);
  CHECK(link.at_head.letters_are(2));
  CHECK(link.head->counters().connections_lost == 0);
}

TEST_CASE("random frames are refused, counted and answered") {
  stranger s;
  std::mt19937_64 random{8};
  for (int i = 0; i < 100; ++i) {
    const auto parts = 1 + random() % 4;
    for (std::uint64_t p = 0; p < parts; ++p) {
      std::vector<std::byte> noise(random() % 100);
      for (auto& b : noise) b = static_cast<std::byte>(random());
      s.send(noise, p + 1 < parts);
    }
  }
  for (int i = 0; i < 100; ++i) CHECK_FALSE(s.answer().reason.empty());
  CHECK(s.head->counters().refused_messages == 100);
  s.check_others();
}

TEST_CASE("whoever does not say hello first is told to") {
  stranger s;
  s.send(transport::credit{4});
  const auto answer = s.answer();
  CHECK(answer.rejoin);
  CHECK(answer.reason == "say hello first");
  CHECK(s.head->counters().refused_messages == 1);
  s.check_others();
}

TEST_CASE("a hello of another version is refused with both versions named") {
  stranger s;
  transport::parts p;
  encode(test::hello_of("old"), p);
  p.header[1] = std::byte{9};
  s.send(p.header);
  CHECK(s.answer().reason == "protocol version 9 where this program speaks 2");
  CHECK(s.head->counters().refused_messages == 1);
  s.check_others();
}

TEST_CASE("a peer that breaks the protocol is lost, and told why") {
  stranger s;
  s.send(test::hello_of("odd"));
  REQUIRE(s.at_head.letters_are(2));
  s.send(std::vector{std::byte{0x93}, std::byte{2}, std::byte{99}, std::byte{0x90}});
  CHECK(s.answer().reason == "no message has the kind 99");
  REQUIRE(s.at_head.wait([](auto& m) { return !m.losts.empty(); }));
  CHECK(s.at_head.look([](auto& m) { return m.losts[0].why.code; }) == core::errc::corrupt);
  s.check_others();
}

TEST_CASE("messages of thousands of parts are refused") {
  stranger s;
  transport::parts p;
  encode(test::hello_of("many"), p);
  for (int i = 0; i < 20'000; ++i) s.send(p.header, true);
  s.send(p.header);
  CHECK(s.answer().reason == "a bundle of 4097 parts");
  s.check_others();
}

TEST_CASE("a frame beyond the limit ends its connection before it is in memory") {
  transport::hub_options options;
  options.limits.payload_bytes = 100'000;
  stranger s{options};
  s.send(test::hello_of("large"));
  REQUIRE(s.at_head.letters_are(2));
  s.send(std::vector<std::byte>(100'001));
  REQUIRE(s.at_head.wait([](auto& m) { return !m.losts.empty(); }));
  CHECK(s.head->counters().connections_lost == 1);
  s.check_others();
}

TEST_CASE("who takes the routing id of another is another") {
  stranger s;
  const auto join = [&s](zmq::socket_t& as) {
    as.set(zmq::sockopt::linger, 0);
    as.set(zmq::sockopt::routing_id, "mine");
    as.connect(s.address);
    transport::parts p;
    encode(test::hello_of("m"), p);
    as.send(zmq::buffer(p.header), zmq::send_flags::none);
  };
  for (std::size_t life = 1; life <= 20; ++life) {
    zmq::socket_t again{s.context, zmq::socket_type::dealer};
    join(again);
    REQUIRE(s.at_head.letters_are(1 + life));
    again.close();
    REQUIRE(s.at_head.wait([&](auto& m) { return m.losts.size() == life; }));
  }
  s.check_others();
}

TEST_CASE("a peer that never reads is given up, and others are undisturbed") {
  transport::hub_options options;
  options.stuck = 300ms;
  options.heartbeat = 10s;
  options.queue_bytes = std::size_t{32} << 20U;
  pair_of_hubs link{options};
  // It shakes hands as ZMTP 3.0 says, and then reads nothing.
  auto mute = test::tcp_connection(test::port_of(link.address));
  std::string greeting("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
  greeting.resize(64, '\0');
  REQUIRE(test::write_all(mute.get(), greeting));
  const std::string ready("\4\x1c\5READY\13Socket-Type\0\0\0\6DEALER", 30);
  REQUIRE(test::write_all(mute.get(), ready));
  std::string heard;
  while (heard.find("READY") == std::string::npos) {
    std::array<char, 256> bytes{};
    const auto n = ::read(mute.get(), bytes.data(), bytes.size());
    REQUIRE(n > 0);
    heard.append(bytes.data(), static_cast<std::size_t>(n));
  }
  transport::parts p;
  encode(test::hello_of("mute"), p);
  std::string frame{'\0', static_cast<char>(p.header.size())};
  frame.append(reinterpret_cast<const char*>(p.header.data()), p.header.size());
  REQUIRE(test::write_all(mute.get(), frame));
  REQUIRE(link.at_head.letters_are(2));
  const auto peer = link.at_head.look([](auto& m) { return m.letters.back().from; });
  const transport::segment_packets large{{}, {{0, true, test::packet_of(std::string(1U << 20U, 'x'))}}};
  std::uint64_t full = 0;
  std::size_t others = 0;
  while (true) {
    const auto result = link.head->send(peer, large);
    if (result == send_result::gone) break;
    if (result == send_result::full) ++full, std::this_thread::yield();
    if (others < 1000 && link.head->send(link.to_worker, transport::heartbeat{}) == send_result::queued) ++others;
  }
  REQUIRE(link.at_head.wait([](auto& m) { return !m.losts.empty(); }));
  const auto lost = link.at_head.look([](auto& m) { return m.losts[0]; });
  CHECK(lost.of == peer);
  CHECK(lost.why.code == core::errc::timeout);
  CHECK(lost.why.message == "took nothing for 300 ms");
  CHECK(link.head->counters().refused_full == full + 1);
  CHECK(link.at_worker.letters_are(others));
  // The kernel ends the connection, which frees what ZeroMQ held for it.
  std::weak_ptr<const void> memory{large.packets[0].packet->owner};
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (memory.use_count() > 1 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(memory.use_count() == 1);
}

TEST_CASE("a connection that goes silent is seen at both ends") {
  transport::hub_options options;
  options.heartbeat = 50ms;
  mailbox at_head;
  mailbox at_worker;
  auto head = test::hub_of(options);
  const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
  test::relay between{test::port_of(address)};
  auto worker = test::hub_of(options);
  const auto to_head = worker->dial(between.address(), at_worker.events()).value();
  REQUIRE(at_worker.wait([](auto& m) { return !m.ups.empty(); }));
  REQUIRE(worker->send(to_head, test::hello_of("w")) == send_result::queued);
  REQUIRE(at_head.letters_are(1));
  between.freeze();
  CHECK(at_worker.wait([](auto& m) { return !m.losts.empty(); }, 5s));
  CHECK(at_head.wait([](auto& m) { return !m.losts.empty(); }, 5s));
}
