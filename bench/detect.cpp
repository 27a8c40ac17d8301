/// An open-loop load on POST /v1/detect: each request starts when its time has come, whatever became of those before,
/// and its latency counts from that time. They come as those of many clients do who know nothing of each other: gaps
/// are exponential, from a seed. Percentiles are exact (nearest rank).

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility> // before Asio of Boost 1.74, whose awaitable.hpp forgets it
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bench/arguments.hpp"
#include "bench/figures.hpp"

namespace {

using namespace penstock::bench;
namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using clock_type = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

constexpr auto usage = "detect --port P --rate R [--seconds S] [--warm S] [--connections N] [--seed N] [--json FILE]\n"
                       "              PICTURE [PICTURE…]";

std::string request_with(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  const std::string picture{std::istreambuf_iterator<char>{in}, {}};
  if (picture.empty()) throw std::runtime_error(file + ": cannot be read");
  return "POST /v1/detect HTTP/1.1\r\nHost: door\r\nContent-Length: " + std::to_string(picture.size()) + "\r\n\r\n" +
         picture;
}

struct reply {
  int status = 0;
  bool says_when = false; ///< Retry-After
  bool closes = false;
};

asio::awaitable<reply> ask(tcp::socket& door, const std::string& request) {
  co_await asio::async_write(door, asio::buffer(request), use_awaitable);
  std::string in;
  const auto head_size = co_await asio::async_read_until(door, asio::dynamic_buffer(in), "\r\n\r\n", use_awaitable);
  const auto head = in.substr(0, head_size);
  const auto length_at = head.find("\r\nContent-Length: ");
  if (!head.starts_with("HTTP/1.1 ") || length_at == std::string::npos)
    throw std::runtime_error("not a reply: " + head);
  const auto whole = head_size + std::stoul(head.substr(length_at + 18));
  if (in.size() < whole) {
    const auto more = whole - in.size();
    co_await asio::async_read(door, asio::dynamic_buffer(in), asio::transfer_exactly(more), use_awaitable);
  }
  const auto has = [&](const char* line) { return head.find(line) != std::string::npos; };
  co_return reply{std::stoi(head.substr(9, 3)), has("\r\nRetry-After: "), has("\r\nConnection: close")};
}

double percentile(const std::vector<double>& sorted, double of_100) {
  if (sorted.empty()) return 0;
  const auto rank = std::ceil(of_100 / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

nlohmann::json spread(std::vector<double> of) {
  std::ranges::sort(of);
  return {{"p50", percentile(of, 50)}, {"p99", percentile(of, 99)}, {"most", of.empty() ? 0 : of.back()}};
}

class load {
 public:
  load(asio::io_context& io, const arguments& given)
      : io_{io}, door_{asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(given.integer("port"))},
        connections_{static_cast<std::size_t>(given.integer("connections"))}, rate_{given.number("rate")},
        warm_{given.number("warm")}, counted_{given.number("seconds")}, random_{static_cast<std::uint64_t>(
                                                                            given.integer("seed"))} {
    for (const auto& file : given.rest()) requests_.push_back(request_with(file));
  }

  /// Sends all of them; those of the first seconds, `warm`, are not counted.
  asio::awaitable<void> run() {
    std::exponential_distribution<double> gap{rate_};
    asio::steady_timer timer{io_};
    const auto began = clock_type::now();
    const auto counts_from = began + std::chrono::duration_cast<clock_type::duration>(warm_);
    std::size_t n = 0;
    for (seconds at{gap(random_)}; at < warm_ + counted_; at += seconds{gap(random_)}) {
      const auto due = began + std::chrono::duration_cast<clock_type::duration>(at);
      timer.expires_at(due);
      co_await timer.async_wait(use_awaitable);
      const bool counts = due >= counts_from;
      if (counts && offered_++ == 0) watch_ = stopwatch{};
      if (open_ == connections_) {
        if (counts) ++unsent_;
        continue;
      }
      const auto& request = requests_[n++ % requests_.size()];
      asio::co_spawn(
          io_, [this, &request, due, counts] { return one(request, due, counts); }, asio::detached);
    }
    sending_s_ = watch_.seconds();
    sending_cpu_s_ = watch_.cpu_seconds();
  }

  [[nodiscard]] nlohmann::json figures() const {
    const auto half = served_ms_.begin() + static_cast<std::ptrdiff_t>(served_ms_.size() / 2);
    return {{"offered", offered_},
            {"seconds", sending_s_},
            {"served", served_ms_.size()},
            {"refused", refused_ms_.size()},
            {"refused_without_retry_after", mute_},
            {"late", late_},
            {"other", other_},
            {"failed", failed_},
            {"unsent", unsent_},
            {"served_ms", spread(served_ms_)},
            {"served_ms_first_half", spread({served_ms_.begin(), half})},
            {"served_ms_second_half", spread({half, served_ms_.end()})},
            {"refused_ms", spread(refused_ms_)},
            {"most_open", most_open_},
            {"cpu_seconds", sending_cpu_s_}};
  }

 private:
  asio::awaitable<void> one(const std::string& request, clock_type::time_point due, bool counts) {
    most_open_ = std::max(most_open_, ++open_);
    try {
      tcp::socket door{io_};
      if (idle_.empty()) {
        co_await door.async_connect(door_, use_awaitable);
        door.set_option(tcp::no_delay{true});
      } else {
        door = std::move(idle_.back());
        idle_.pop_back();
      }
      const auto got = co_await ask(door, request);
      if (counts) count(got, std::chrono::duration<double, std::milli>(clock_type::now() - due).count());
      if (!got.closes) idle_.push_back(std::move(door));
    } catch (const std::exception& e) {
      if (failed_++ == 0) std::fprintf(stderr, "detect: %s\n", e.what());
    }
    --open_;
  }

  void count(const reply& got, double ms) {
    switch (got.status) {
    case 200: served_ms_.push_back(ms); break;
    case 503:
      refused_ms_.push_back(ms);
      if (!got.says_when) ++mute_;
      break;
    case 504: ++late_; break;
    default: ++other_;
    }
  }

  asio::io_context& io_;
  tcp::endpoint door_;
  std::size_t connections_; ///< at the same time, at most
  double rate_;
  seconds warm_;
  seconds counted_;
  std::mt19937_64 random_;
  std::vector<std::string> requests_;
  std::vector<tcp::socket> idle_;

  stopwatch watch_;
  double sending_s_ = 0;
  double sending_cpu_s_ = 0;
  std::size_t offered_ = 0;
  std::size_t open_ = 0;
  std::size_t most_open_ = 0;
  std::size_t mute_ = 0;
  std::size_t late_ = 0;
  std::size_t other_ = 0;
  std::size_t failed_ = 0;
  std::size_t unsent_ = 0;
  std::vector<double> served_ms_; ///< in the order of their ends
  std::vector<double> refused_ms_;
};

int run(const arguments& given) {
  asio::io_context io{1};
  load all{io, given};
  asio::co_spawn(
      io, [&all] { return all.run(); }, asio::detached);
  io.run();
  const auto figures = all.figures();
  if (given["json"] != "-") std::printf("%s\n", figures.dump(1).c_str());
  return write_figures(given["json"], figures) ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  const arguments given{argc,
                        argv,
                        {{"port", ""},
                         {"rate", ""},
                         {"seconds", "10"},
                         {"warm", "2"},
                         {"connections", "900"},
                         {"seed", "1"},
                         {"json", ""}},
                        usage};
  if (given["port"].empty() || given["rate"].empty() || given.rest().empty()) arguments::stop(usage);
  try {
    return run(given);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "detect: %s\n", e.what());
    return 1;
  }
}
