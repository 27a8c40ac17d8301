#include "cli/event_drain.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
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

event_drain::event_drain(const std::string& endpoint, leave_function leave)
    : thread_{
          [this, endpoint, leave = std::move(leave)](const std::stop_token& over) { watch(endpoint, leave, over); }} {}

void event_drain::watch(const std::string& endpoint, const leave_function& leave, const std::stop_token& over) {
  scaling::azure::event_watch_options options;
  options.endpoint = endpoint;
  scaling::azure::event_watch events{options};
  bool has_asked = false;
  auto pause = std::chrono::milliseconds{0};
  while (rest(pause, over)) {
    if (left_) events.drained();
    const auto seen = events.poll();
    if (seen.trouble) spdlog::warn("scheduled events: {}", seen.trouble->message);
    const auto wish = events.wish();
    if (wish && !has_asked) {
      has_asked = true;
      const auto grace = time_to_finish(*wish, core::clock::now());
      spdlog::warn("this machine is to be taken away ({}, event {}): leaving, with {:.0f} s to finish",
                   to_string(wish->kind), wish->event, core::seconds{grace}.count());
      leave(grace);
    }
    wished_ = wish.has_value();
    pause = seen.next;
  }
}

bool event_drain::see_through(const signals& stop) {
  left_ = true;
  constexpr int interval_ms = 200;
  while (wished_) {
    pollfd fd{stop.fd(), POLLIN, 0};
    if (::poll(&fd, 1, interval_ms) > 0 && stop.take()) return false;
  }
  return true;
}

} // namespace penstock::cli
