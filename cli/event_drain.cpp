#include "cli/event_drain.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "cli/signal_watch.hpp"
#include "scaling/azure/event_watch.hpp"

namespace penstock::cli {

namespace {

using scaling::azure::drain_wish;
using scaling::azure::event_kind;

/// For bye and the approval.
constexpr std::chrono::seconds reserve{5};

/// Spot's notice is too short, and only best effort: others begin anew with what this worker holds.
std::chrono::microseconds time_to_finish(const drain_wish& wish, core::time_point now) {
  if (wish.kind == event_kind::preempt) return std::chrono::microseconds{0};
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(wish.until - now) - reserve;
  return std::max(left, std::chrono::microseconds{0});
}

} // namespace

struct event_drain::watch {
  std::string endpoint;
  std::mutex mutex; ///< of `leave`
  leave_function leave;
  std::stop_source over;
  std::atomic<bool> wished{false};
  std::atomic<bool> asked{false};
  std::atomic<bool> left{false};

  void run();
  void ask_to_leave(const drain_wish& wish, std::chrono::microseconds grace);
};

void event_drain::watch::ask_to_leave(const drain_wish& wish, std::chrono::microseconds grace) {
  const std::lock_guard lock{mutex};
  if (over.stop_requested()) return;
  asked = true;
  spdlog::warn("this machine is to be taken away ({}, event {}): leaving, with {:.0f} s to finish",
               to_string(wish.kind), wish.event, core::seconds{grace}.count());
  leave(grace);
}

void event_drain::watch::run() {
  scaling::azure::event_watch_options options;
  options.endpoint = endpoint;
  scaling::azure::event_watch events{options};
  constexpr std::chrono::seconds less{1}; // what counts as less time than was said before
  std::optional<core::time_point> asked_until;
  auto pause = std::chrono::milliseconds{0};
  while (rest(pause, over.get_token())) {
    if (left) events.drained();
    const auto seen = events.poll();
    if (seen.trouble) spdlog::warn("scheduled events: {}", seen.trouble->message);
    const auto wish = events.wish();
    wished = wish.has_value();
    if (wish) {
      const auto now = core::clock::now();
      const auto grace = time_to_finish(*wish, now);
      if (!asked_until || now + grace < *asked_until - less) {
        asked_until = now + grace;
        ask_to_leave(*wish, grace);
      }
    }
    pause = seen.next;
  }
}

event_drain::event_drain(const std::string& endpoint, leave_function leave) : watch_{std::make_shared<watch>()} {
  watch_->endpoint = endpoint;
  watch_->leave = std::move(leave);
  std::thread{[with = watch_] { with->run(); }}.detach();
}

event_drain::~event_drain() {
  const std::lock_guard lock{watch_->mutex};
  watch_->over.request_stop();
}

bool event_drain::is_wished() const noexcept { return watch_->wished; }
bool event_drain::has_asked() const noexcept { return watch_->asked; }

bool event_drain::see_through(const signals& stop) {
  watch_->left = true;
  constexpr int interval_ms = 200;
  while (watch_->wished) {
    pollfd fd{stop.fd(), POLLIN, 0};
    if (::poll(&fd, 1, interval_ms) > 0 && stop.take()) return false;
  }
  return true;
}

} // namespace penstock::cli
