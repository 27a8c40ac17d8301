#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "actors/links.hpp"
#include "tests/catch.hpp"

namespace penstock::actors {

/// One end of a real link: what the hub's thread tells waits here until the test looks at it, or passes it on to an
/// actor of a deterministic system. Must outlive its hub.
class link_end {
 public:
  using event = std::variant<link_up, link_message, link_down>;

  transport::link_events events() {
    transport::link_events e;
    e.received = [this](transport::peer_id peer, transport::message&& m) {
      add(link_message{peer, std::make_shared<const transport::message>(std::move(m))});
    };
    e.connected = [this](transport::peer_id peer) { add(link_up{peer}); };
    e.lost = [this](transport::peer_id peer, const core::error& why) { add(link_down{peer, why}); };
    return e;
  }

  /// The next event, if it comes in time.
  std::optional<event> poll(std::chrono::milliseconds patience) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, patience, [this] { return !events_.empty(); })) return std::nullopt;
    auto first = std::move(events_.front());
    events_.pop_front();
    return first;
  }

  event next() {
    auto e = poll(std::chrono::seconds{20});
    REQUIRE(e);
    return std::move(*e);
  }

  /// The next event, which must be an `E`; heartbeats are passed over.
  template <class E>
  E next_event() {
    while (true) {
      auto e = next();
      if (const auto* m = std::get_if<link_message>(&e)) {
        if (std::holds_alternative<transport::heartbeat>(*m->message)) continue;
        INFO("it is a message: " << transport::name_of(*m->message));
        REQUIRE(std::holds_alternative<E>(e));
      }
      REQUIRE(std::holds_alternative<E>(e));
      return std::get<E>(std::move(e));
    }
  }

  /// The next message, which must be an `M`; heartbeats are passed over.
  template <class M>
  M next_message() {
    const auto m = next_event<link_message>().message;
    INFO("it is a " << transport::name_of(*m));
    REQUIRE(std::holds_alternative<M>(*m));
    return std::get<M>(*m);
  }

 private:
  void add(event e) {
    const std::lock_guard lock{mutex_};
    events_.push_back(std::move(e));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<event> events_;
};

} // namespace penstock::actors
