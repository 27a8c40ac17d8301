#include "transport/hub/outbox.hpp"

#include <atomic>
#include <thread>

#include "tests/catch.hpp"
#include "tests/unit/transport/messages.hpp"
#include "transport/hub/flight.hpp"

using namespace penstock;
using transport::outbox;
using transport::send_result;

namespace {

constexpr std::size_t plenty = std::size_t{1} << 40U;

transport::segment_packets packet_message(std::uint32_t number, std::size_t bytes) {
  return {{{1}, 1, number}, {{0, true, test::packet_of(std::string(bytes, 'x'))}}};
}

/// The numbers of all segments in a bundle.
std::vector<std::uint32_t> numbers_in(const transport::parts& bundle) {
  const transport::wire_limits limits;
  transport::bundle_reader reader{bundle.header, bundle.payloads, limits};
  std::vector<std::uint32_t> numbers;
  while (true) {
    const auto next = reader.next();
    REQUIRE(next);
    if (!*next) return numbers;
    numbers.push_back(std::get<transport::segment_packets>(**next).segment.number);
  }
}

} // namespace

TEST_CASE("messages that wait share bundles and keep their order") {
  outbox out{plenty, plenty};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    bool first = false;
    REQUIRE(out.put(packet_message(i, i % 3 == 0 ? 20'000 : 100), first) == send_result::queued);
    CHECK(first == (i == 0));
  }
  std::uint32_t expected = 0;
  std::size_t bundles = 0;
  while (const auto bundle = out.take()) {
    ++bundles;
    for (const auto number : numbers_in(*bundle)) CHECK(number == expected++);
  }
  CHECK(expected == 1000);
  CHECK(bundles > 10); // no bundle is endless
  CHECK(bundles < 100);
  CHECK(out.empty());
}

TEST_CASE("an outbox is full at either limit, until something is taken") {
  bool first = false;
  outbox few{2, plenty};
  REQUIRE(few.put(packet_message(0, 1), first) == send_result::queued);
  REQUIRE(few.put(packet_message(1, 1), first) == send_result::queued);
  CHECK(few.put(packet_message(2, 1), first) == send_result::full);
  CHECK_FALSE(first);
  REQUIRE(few.take());
  CHECK(few.put(packet_message(3, 1), first) == send_result::queued);
  CHECK(first);

  outbox small{plenty, 50'000};
  REQUIRE(small.put(packet_message(0, 30'000), first) == send_result::queued);
  REQUIRE(small.put(packet_message(1, 30'000), first) == send_result::queued); // the last may go beyond
  CHECK(small.put(packet_message(2, 1), first) == send_result::full);
}

TEST_CASE("a closed outbox takes nothing and forgets what it had") {
  bool first = false;
  outbox out{plenty, plenty};
  auto message = packet_message(0, 20'000);
  const std::weak_ptr<const void> memory{message.packets[0].packet->owner};
  REQUIRE(out.put(message, first) == send_result::queued);
  message = {};
  out.close();
  CHECK(memory.expired());
  CHECK_FALSE(out.take());
  CHECK(out.put(packet_message(1, 1), first) == send_result::gone);
  CHECK_FALSE(first);
}

TEST_CASE("a peer is announced once when there is room in flight again") {
  transport::hub_board board;
  REQUIRE(board.open());
  transport::flight flight{board, {7}};
  const auto announced = [&board] {
    transport::hub_board::work work;
    board.take(work);
    return work.waiting;
  };
  std::size_t given = 0;
  for (; flight.room(); ++given) flight.add(std::size_t{2} << 20U);
  CHECK(given == 16);
  CHECK(announced().empty());
  for (; given > 8; --given) {
    CHECK(announced().empty());
    flight.release(std::size_t{2} << 20U);
  }
  CHECK(announced() == std::vector{transport::peer_id{7}});
  for (; given > 0; --given) flight.release(std::size_t{2} << 20U);
  CHECK(announced().empty());
  CHECK(flight.room());
}

TEST_CASE("room in flight is never missed, whichever thread is first") {
  transport::hub_board board;
  REQUIRE(board.open());
  constexpr std::size_t bytes = std::size_t{16} << 20U;
  constexpr int rounds = 2'000;
  transport::flight flight{board, {7}};
  std::atomic<int> added{0};
  std::thread releases{[&] {
    for (int released = 0; released < rounds;) {
      if (released == added) continue;
      flight.release(bytes);
      ++released;
    }
  }};
  transport::hub_board::work work;
  for (int i = 0; i < rounds; ++i) {
    while (!flight.room()) {
      while (work.waiting.empty()) board.take(work); // it must come
      work.waiting.clear();
    }
    flight.add(bytes);
    ++added;
  }
  releases.join();
}
