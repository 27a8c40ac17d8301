#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/catch.hpp"
#include "transport/hub.hpp"

/// Hubs in tests: what they were told is kept, and waited for.
namespace penstock::test {

using namespace std::chrono_literals;

/// What one end point was told.
class mailbox {
 public:
  struct letter {
    transport::peer_id from;
    transport::message message;
  };
  struct ending {
    transport::peer_id of;
    core::error why;
    std::chrono::steady_clock::time_point when;
  };
  std::vector<letter> letters;
  std::vector<transport::peer_id> ups;
  std::vector<ending> losts;
  std::vector<ending> failures;

  [[nodiscard]] transport::link_events events() {
    const auto note = [this](auto& list, auto&& item) {
      const std::lock_guard lock{mutex_};
      list.push_back(std::forward<decltype(item)>(item));
      changed_.notify_all();
    };
    const auto now = [] { return std::chrono::steady_clock::now(); };
    transport::link_events events;
    events.received = [this, note](transport::peer_id p, transport::message&& m) {
      note(letters, letter{p, std::move(m)});
    };
    events.connected = [this, note](transport::peer_id p) { note(ups, p); };
    events.lost = [this, note, now](transport::peer_id p, const core::error& e) { note(losts, ending{p, e, now()}); };
    events.unreachable = [this, note, now](transport::peer_id p, const core::error& e) {
      note(failures, ending{p, e, now()});
    };
    return events;
  }

  /// Waits until a condition on this holds.
  template <class F>
  [[nodiscard]] bool wait(F condition, std::chrono::milliseconds longest = 20s) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, longest, [&] { return condition(*this); });
  }
  /// Looks at this under its lock.
  template <class F>
  auto look(F what) {
    const std::lock_guard lock{mutex_};
    return what(*this);
  }
  [[nodiscard]] bool letters_are(std::size_t n) {
    return wait([n](auto& m) { return m.letters.size() >= n; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

inline std::unique_ptr<transport::hub> hub_of(transport::hub_options options = {}) {
  options.reconnect_min = 5ms;
  options.reconnect_max = 50ms;
  auto made = transport::hub::start(std::move(options));
  if (!made) FAIL(made.error().message);
  return std::move(*made);
}

inline transport::hello hello_of(std::string name) {
  transport::hello h;
  h.name = std::move(name);
  h.role = "worker";
  return h;
}

/// Waits until the hub has counted.
template <class F>
bool counts(const transport::hub& hub, F enough) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    if (enough(hub.counters())) return true;
    std::this_thread::yield();
  }
  return false;
}

/// A listening hub and one that dialled it and said hello. Mailboxes outlive the hubs that write to them.
struct pair_of_hubs {
  explicit pair_of_hubs(transport::hub_options of_head = {}, transport::hub_options of_worker = {})
      : head{hub_of(std::move(of_head))}, worker{hub_of(std::move(of_worker))} {
    auto bound = head->listen("tcp://127.0.0.1:*", at_head.events(), false);
    if (!bound) FAIL(bound.error().message);
    address = *bound;
    auto dialled = worker->dial(address, at_worker.events());
    if (!dialled) FAIL(dialled.error().message);
    to_head = *dialled;
    REQUIRE(at_worker.wait([](auto& m) { return !m.ups.empty(); }));
    REQUIRE(worker->send(to_head, hello_of("w")) == transport::send_result::queued);
    REQUIRE(at_head.letters_are(1));
    to_worker = at_head.look([](auto& m) { return m.letters[0].from; });
  }

  mailbox at_head;
  mailbox at_worker;
  std::unique_ptr<transport::hub> head;
  std::unique_ptr<transport::hub> worker;
  std::string address;
  transport::peer_id to_head;
  transport::peer_id to_worker;
};

} // namespace penstock::test
