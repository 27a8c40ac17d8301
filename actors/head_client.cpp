#include "actors/head_client.hpp"

#include <condition_variable>
#include <fmt/format.h>
#include <functional>
#include <mutex>
#include <spdlog/spdlog.h>
#include <utility>

#include "core/time.hpp"
#include "transport/hub.hpp"

namespace penstock::actors {

namespace {

using transport::peer_id;

/// One conversation with a head: what it is asked, and what its messages make of the answer.
class conversation {
 public:
  using answer = core::expected<std::string>;

  void settle(answer a) {
    const std::lock_guard lock{mutex_};
    if (!answer_) answer_ = std::move(a);
    settled_.notify_all();
  }

  /// Something stands in the way, for now.
  void trouble(const core::error& why) {
    const std::lock_guard lock{mutex_};
    if (trouble_.empty()) spdlog::warn("{}; trying again", why.message);
    trouble_ = why.message;
  }

  /// The answer, or why there was none until `stopped`.
  answer wait(const std::function<bool()>& stopped) {
    constexpr std::chrono::milliseconds interval{50};
    std::unique_lock lock{mutex_};
    while (!settled_.wait_for(lock, interval, [this] { return answer_.has_value(); })) {
      if (stopped()) return core::fail(core::errc::cancelled, trouble_.empty() ? "no answer" : trouble_);
    }
    return *answer_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable settled_;
  std::optional<answer> answer_;
  std::string trouble_;
};

core::expected<std::string> ask(const head_address& head, const std::function<bool()>& stopped,
                                const std::function<void(transport::hub&, peer_id)>& begin,
                                const std::function<void(const transport::message&, conversation&)>& hear) {
  transport::hub_options options;
  options.keys = head.keys;
  conversation talk; // outlives the hub, whose thread uses it
  auto hub = transport::hub::start(std::move(options));
  if (!hub) return tl::unexpected{hub.error()};
  transport::link_events events;
  events.connected = [&, h = hub->get()](peer_id peer) {
    transport::hello hello;
    hello.software = head.software;
    static_cast<void>(h->send(peer, hello)); // a link that ends meanwhile is reported as lost
    begin(*h, peer);
  };
  events.received = [&](peer_id, transport::message&& m) {
    if (const auto* no = std::get_if<transport::refused>(&m))
      talk.settle(core::fail(
          no->version == transport::protocol_version ? core::errc::not_found : core::errc::unsupported, no->reason));
    else
      hear(m, talk);
  };
  events.lost = [&](peer_id, const core::error& why) {
    if (why.code == core::errc::unsupported) return talk.settle(tl::unexpected{why});
    talk.trouble(why);
  };
  events.unreachable = [&](peer_id, const core::error& why) { talk.trouble(why); };
  if (auto peer = (*hub)->dial(head.address, events); !peer) return core::fail(head.address, peer.error());
  return talk.wait(stopped);
}

} // namespace

core::expected<std::string> fetch_topology(const head_address& head, const std::function<bool()>& stopped) {
  return ask(
      head, stopped, [](transport::hub&, peer_id) {},
      [](const transport::message& m, conversation& talk) {
        if (const auto* welcome = std::get_if<transport::welcome>(&m)) talk.settle(welcome->topology);
      });
}

core::expected<std::string> drain_worker(const head_address& head, const std::string& worker,
                                         std::chrono::milliseconds patience) {
  const auto until = core::clock::now() + patience;
  auto left = ask(
      head, [until] { return core::clock::now() >= until; },
      [&worker](transport::hub& hub, peer_id peer) {
        static_cast<void>(hub.send(peer, transport::drain{worker})); // as above
      },
      [](const transport::message& m, conversation& talk) {
        if (const auto* gone = std::get_if<transport::bye>(&m)) talk.settle(gone->reason);
      });
  if (!left && left.error().code == core::errc::cancelled) left.error().code = core::errc::unavailable;
  return left;
}

} // namespace penstock::actors
