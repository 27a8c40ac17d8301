#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/api.hpp"
#include "gateway/event_hub.hpp"
#include "gateway/server.hpp"
#include "tests/catch.hpp"
#include "tests/unit/gateway/client.hpp"
#include "tests/unit/gateway/pictures.hpp"

/// Stands behind the door in place of a pipeline, and does what a test says.
namespace penstock::test {

/// Waits until `what` is true, which other threads bring about; gives up after a long time.
template <class F>
bool eventually(F&& what) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (std::chrono::steady_clock::now() < until) {
    if (what()) return true;
    std::this_thread::yield();
  }
  return what();
}

class fake_node final : public gateway::node_api {
 public:
  std::string metrics() override { return registry.expose(); }
  bool healthy() override { return is_healthy; }
  bool ready() override { return is_ready; }
  std::vector<gateway::target_view> targets() override {
    return {{"", {{"role", "head"}}}, {"10.0.0.9:9100", {{"name", "w \"1\""}, {"role", "worker"}}}};
  }
  void drain(gateway::completion<std::monostate> done) override {
    is_ready = false;
    done(std::monostate{});
  }
  void drain_worker(const std::string& name, gateway::completion<gateway::change> done) override {
    if (name != "w1") return done(gateway::change::no_such);
    drained = name;
    done(gateway::change::done);
  }

  metrics::registry registry;
  std::atomic<bool> is_healthy{true};
  std::atomic<bool> is_ready{true};
  std::string drained; ///< a worker
};

/// Answers at once with one object as large as the picture, or keeps requests until the test answers them.
class fake_detect final : public gateway::detect_api {
 public:
  struct kept {
    gateway::detect_request request;
    std::stop_token gone;
    gateway::completion<gateway::detect_reply> done;
  };

  void detect(gateway::detect_request request, std::stop_token gone,
              gateway::completion<gateway::detect_reply> done) override {
    ++asked;
    if (!keep) return done(answer_to(request));
    const std::lock_guard lock{mutex};
    waiting.push_back({std::move(request), std::move(gone), std::move(done)});
    ++has;
  }

  static gateway::detect_reply answer_to(const gateway::detect_request& r) {
    gateway::detect_reply reply;
    reply.width_px = static_cast<int>(r.width_px);
    reply.height_px = static_cast<int>(r.height_px);
    reply.objects = {{"dog", 16, 0.5F, 0, 0, static_cast<float>(r.width_px), static_cast<float>(r.height_px)}};
    if (r.annotate) reply.annotated_jpeg = "annotated " + r.content_type;
    return reply;
  }

  kept take() {
    REQUIRE(eventually([&] { return has > 0; }));
    const std::lock_guard lock{mutex};
    auto first = std::move(waiting.front());
    waiting.pop_front();
    --has;
    return first;
  }

  std::atomic<bool> keep{false};
  std::atomic<int> asked{0};
  std::atomic<int> has{0};
  std::mutex mutex;
  std::deque<kept> waiting;
};

/// Pieces that the test gives, one for each time it is asked.
class fed_source final : public gateway::byte_source {
 public:
  struct state {
    std::mutex mutex;
    std::deque<std::string> pieces; ///< an empty one is the end
    gateway::completion<std::string> asked;
    std::atomic<int> times_asked{0};
    std::atomic<bool> alive{true};

    void give(std::string piece) {
      gateway::completion<std::string> to;
      {
        const std::lock_guard lock{mutex};
        if (!asked) return pieces.push_back(std::move(piece));
        to = std::exchange(asked, {});
      }
      to(std::move(piece));
    }
  };

  explicit fed_source(std::shared_ptr<state> from) : state_{std::move(from)} {}
  ~fed_source() override { state_->alive = false; }

  void next(gateway::completion<std::string> done) override {
    ++state_->times_asked;
    std::string piece;
    {
      const std::lock_guard lock{state_->mutex};
      if (state_->pieces.empty()) {
        state_->asked = std::move(done);
        return;
      }
      piece = std::move(state_->pieces.front());
      state_->pieces.pop_front();
    }
    done(std::move(piece));
  }

 private:
  std::shared_ptr<state> state_;
};

struct fixture {
  explicit fixture(gateway::options how = {}) : options{std::move(how)} { options.address = "127.0.0.1:0"; }

  void open() {
    gateway::api behind;
    behind.node = &node;
    behind.detect = has_detect ? &detect : nullptr;
    attach(behind);
    auto made = gateway::server::listen(options, behind, node.registry);
    if (!made) FAIL(made.error().message);
    server = std::move(*made);
    port = server->port();
  }

  double figure(const std::string& series) {
    const auto text = node.registry.expose();
    const auto at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
  }
  double refused(const std::string& reason) { return figure("penstock_http_refused_total{reason=\"" + reason + "\"}"); }

  gateway::options options;
  fake_node node;
  fake_detect detect;
  bool has_detect = true;
  std::function<void(gateway::api&)> attach = [](gateway::api&) {};
  std::unique_ptr<gateway::server> server;
  std::uint16_t port = 0;
};

inline const std::string keep_alive_detect = "POST /v1/detect HTTP/1.1\r\nHost: door\r\n";

inline std::string post_of(const std::string& body, const std::string& more = {}) {
  return keep_alive_detect + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

} // namespace penstock::test
