// What a link of hubs carries over TCP loopback, beside bare libzmq PUSH/PULL: messages/s and GB/s by size. Both take
// turns; figures are medians of rounds.
//
//   link [--rounds 5] [--seconds 0.5] [--json FILE]

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "bench/arguments.hpp"
#include "bench/figures.hpp"
#include "cli/frame_buffers.hpp"
#include "transport/hub.hpp"

namespace {

using namespace penstock;

struct load {
  std::size_t bytes = 0;
  std::uint32_t window = 0; ///< messages under way at most: the credit of the receiver
  double target = 0;        ///< of bare libzmq
};

/// Messages/s, and what the link carried for a byte of payload.
struct outcome {
  double per_s = 0;
  double overhead = 1;
};

core::packet_ptr packet_of(std::size_t bytes) {
  auto memory = std::make_shared<std::vector<std::byte>>(bytes + core::packet_padding_bytes);
  auto packet = std::make_shared<core::packet>();
  packet->bytes = {memory->data(), bytes};
  packet->owner = std::move(memory);
  return packet;
}

/// Credit that one thread grants and another waits for.
class credit {
 public:
  void grant(std::uint32_t n) {
    const std::lock_guard lock{mutex_};
    free_ += n;
    more_.notify_one();
  }
  /// All there is, at least one.
  std::uint32_t take() {
    std::unique_lock lock{mutex_};
    more_.wait(lock, [this] { return free_ > 0; });
    return std::exchange(free_, 0);
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::uint32_t free_ = 0;
};

outcome bare(const load& what, std::size_t n) {
  zmq::context_t far;
  zmq::context_t near;
  zmq::socket_t pull{far, zmq::socket_type::pull};
  pull.bind("tcp://127.0.0.1:*");
  zmq::socket_t push{near, zmq::socket_type::push};
  push.connect(pull.get(zmq::sockopt::last_endpoint));
  std::vector<char> memory(what.bytes);
  zmq::message_t first;
  static_cast<void>(push.send(zmq::str_buffer("up")));
  static_cast<void>(pull.recv(first));
  const bench::stopwatch watch;
  std::thread receiver{[&] {
    zmq::message_t got;
    for (std::size_t i = 0; i < n; ++i) static_cast<void>(pull.recv(got));
  }};
  constexpr std::size_t cheap_to_copy = 1024;
  for (std::size_t i = 0; i < n; ++i) {
    zmq::message_t m = what.bytes <= cheap_to_copy ? zmq::message_t{memory.data(), memory.size()}
                                                   : zmq::message_t{memory.data(), memory.size(), [](void*, void*) {}};
    static_cast<void>(push.send(m, zmq::send_flags::none));
  }
  receiver.join();
  return {static_cast<double>(n) / watch.seconds()};
}

outcome linked(const load& what, std::size_t n) {
  const auto check = [](auto&& made) {
    if (made) return std::forward<decltype(made)>(made);
    std::fprintf(stderr, "link: %s\n", made.error().message.c_str());
    std::exit(1);
  };
  credit room;
  std::size_t received = 0;
  std::mutex mutex;
  std::condition_variable changed;
  bool up = false;
  bool joined = false;
  bool over = false;
  const auto tell = [&](bool& flag) {
    const std::lock_guard lock{mutex};
    flag = true;
    changed.notify_all();
  };
  const auto wait = [&](const bool& flag) {
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return flag; });
  };
  auto far = *check(transport::hub::start({}));
  auto near = *check(transport::hub::start({}));
  transport::link_events at_far;
  at_far.lost = [](transport::peer_id, const core::error&) {};
  at_far.received = [&](transport::peer_id from, transport::message&& m) {
    if (std::holds_alternative<transport::hello>(m)) return tell(joined);
    ++received;
    if (received == n) return tell(over);
    const auto half = what.window / 2;
    if (received % half == 0) static_cast<void>(far->send(from, transport::stage_credit{half}));
  };
  const auto address = *check(far->listen("tcp://127.0.0.1:*", std::move(at_far), false));
  transport::link_events at_near;
  at_near.lost = [](transport::peer_id, const core::error& why) {
    std::fprintf(stderr, "link: %s\n", why.message.c_str());
    std::exit(1);
  };
  at_near.connected = [&](transport::peer_id) { tell(up); };
  at_near.received = [&](transport::peer_id, transport::message&& m) {
    if (const auto* more = std::get_if<transport::stage_credit>(&m)) room.grant(more->items);
  };
  const auto peer = *check(near->dial(address, std::move(at_near)));
  wait(up);
  static_cast<void>(near->send(peer, transport::hello{}));
  wait(joined);
  room.grant(what.window);
  const transport::message m = transport::segment_packets{{{1}, 1, 1}, {{0, true, packet_of(what.bytes)}}};
  const bench::stopwatch watch;
  for (std::size_t i = 0; i < n;) {
    for (auto free = room.take(); free > 0 && i < n; --free, ++i) {
      if (near->send(peer, m) == transport::send_result::queued) continue;
      std::fputs("link: a message within its credit was not taken\n", stderr);
      std::exit(1);
    }
  }
  wait(over);
  const auto s = watch.seconds();
  const auto sent = static_cast<double>(near->counters().bytes_sent);
  near.reset(); // before what its events use
  far.reset();
  return {static_cast<double>(n) / s, sent / static_cast<double>(n * what.bytes)};
}

double median(std::vector<double> of) {
  std::ranges::sort(of);
  return of[of.size() / 2];
}

} // namespace

int main(int argc, char** argv) {
  // As heads and workers do, here for both sides: otherwise large messages give their memory back to the system and
  // fetch it anew, one by one.
  cli::keep_frame_buffers();
  const bench::arguments args{
      argc, argv, {{"rounds", "5"}, {"seconds", "0.5"}, {"json", ""}}, "link [--rounds N] [--seconds S] [--json FILE]"};
  const std::vector<load> loads{{200, 2048, 0.5}, {20'000, 512, 0.9}, {6'000'000, 16, 0.95}};
  nlohmann::json figures = nlohmann::json::array();
  std::puts("     bytes   bare: messages/s    GB/s   link: messages/s    GB/s   ratio  target   bytes/byte");
  for (const auto& what : loads) {
    constexpr std::size_t few = 100;
    const auto n =
        static_cast<std::size_t>(std::max(static_cast<double>(few), bare(what, few).per_s * args.number("seconds")));
    std::vector<double> bares;
    std::vector<double> links;
    std::vector<double> ratios;
    double overhead = 0;
    for (int round = 0; round < args.integer("rounds"); ++round) {
      bares.push_back(bare(what, n).per_s);
      const auto link = linked(what, n);
      links.push_back(link.per_s);
      ratios.push_back(links.back() / bares.back());
      overhead = link.overhead;
    }
    const auto gb = [&](double per_s) { return per_s * static_cast<double>(what.bytes) / 1e9; };
    const auto b = median(bares);
    const auto l = median(links);
    const auto r = median(ratios);
    std::printf("%10zu %19.0f %7.2f %18.0f %7.2f %7.2f %7.2f %12.3f\n", what.bytes, b, gb(b), l, gb(l), r, what.target,
                overhead);
    figures.push_back({{"bytes", what.bytes},
                       {"bare_per_s", b},
                       {"link_per_s", l},
                       {"ratio", r},
                       {"target", what.target},
                       {"bytes_per_byte", overhead}});
  }
  return bench::write_figures(args["json"], figures) ? 0 : 1;
}
