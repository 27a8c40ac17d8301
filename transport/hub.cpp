#include "transport/hub.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <future>
#include <spdlog/spdlog.h>
#include <thread>
#include <utility>

#include "transport/hub/loop.hpp"

namespace penstock::transport {

namespace {

/// Whether only this machine can reach the address.
bool is_local(const std::string& address) {
  return address.starts_with("ipc://") || address.starts_with("tcp://127.") ||
         address.starts_with("tcp://localhost:") || address.starts_with("tcp://[::1]:");
}

} // namespace

struct hub::impl {
  hub_options options;
  hub_board board; // outlives ZeroMQ's context, whose threads tell it what was sent
  std::unique_ptr<hub_loop> loop;
  std::thread thread;

  ~impl() {
    if (!thread.joinable()) return;
    board.request([this] { loop->stop(); });
    thread.join();
  }

  /// Whether it may listen there.
  [[nodiscard]] core::expected<void> allow(const std::string& address, bool insecure) const {
    if (options.keys || insecure || is_local(address)) return {};
    return core::fail(
        core::errc::bad_config,
        fmt::format("{} can be reached from other machines and there are no keys: make some (penstock keys), "
                    "or write security.insecure: true",
                    address));
  }

  /// Has the thread do something and waits for what comes of it.
  template <class F>
  auto ask(F what) -> core::expected<std::invoke_result_t<F>> {
    using value = std::invoke_result_t<F>;
    const auto attempt = [&what]() -> core::expected<value> {
      try {
        return what();
      } catch (const zmq::error_t& e) {
        const bool wrong = e.num() == EINVAL || e.num() == EPROTONOSUPPORT || e.num() == ENODEV;
        return core::fail(wrong ? core::errc::bad_config : core::errc::io, e.what());
      }
    };
    if (std::this_thread::get_id() == thread.get_id()) return attempt();
    std::promise<core::expected<value>> answer;
    auto coming = answer.get_future();
    board.request([&] { answer.set_value(attempt()); });
    return coming.get();
  }
};

core::expected<std::unique_ptr<hub>> hub::start(hub_options options) {
  if (options.keys && zmq_has("curve") == 0)
    return core::fail(core::errc::unsupported, "this libzmq was built without CURVE");
  auto state = std::make_unique<impl>();
  state->options = std::move(options);
  if (auto ok = state->board.open(); !ok) return tl::unexpected{std::move(ok).error()};
  try {
    state->loop = std::make_unique<hub_loop>(state->options, state->board);
  } catch (const zmq::error_t& e) {
    return core::fail(core::errc::io, fmt::format("ZeroMQ: {}", e.what()));
  }
  state->thread = std::thread{[loop = state->loop.get()] {
    try {
      loop->run();
    } catch (const std::exception& e) {
      // Nothing that a peer does leads here: the process cannot go on without its links.
      spdlog::critical("hub: {}", e.what());
      std::terminate();
    }
  }};
  return std::unique_ptr<hub>{new hub{std::move(state)}};
}

hub::hub(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
hub::~hub() = default;

core::expected<std::string> hub::listen(const std::string& address, link_events events, bool insecure) {
  if (auto allowed = impl_->allow(address, insecure); !allowed) return tl::unexpected{allowed.error()};
  auto bound = impl_->ask([&] { return impl_->loop->listen(address, std::move(events)); });
  if (!bound) return core::fail(address, bound.error());
  return bound;
}

core::expected<void> hub::attach(std::shared_ptr<hub_guest> guest, const std::string& address, bool insecure) {
  if (auto allowed = impl_->allow(address, insecure); !allowed) return allowed;
  const auto attached = impl_->ask([&] {
    impl_->loop->attach(std::move(guest));
    return true;
  });
  return attached ? core::expected<void>{} : core::fail(address, attached.error());
}

void hub::request(std::function<void()> what) { impl_->board.request(std::move(what)); }

core::expected<peer_id> hub::dial(const std::string& address, link_events events, const std::string& server_key) {
  auto peer = impl_->ask([&] { return impl_->loop->dial(address, std::move(events), server_key); });
  if (!peer) return core::fail(address, peer.error());
  return peer;
}

send_result hub::send(peer_id to, const message& m) {
  auto& board = impl_->board;
  const auto out = board.find(to);
  if (!out) return send_result::gone;
  bool first = false;
  const auto result = out->put(m, first);
  if (result == send_result::full) ++board.counters.refused_full;
  if (result == send_result::queued) ++board.counters.messages_sent;
  if (first) board.announce(to);
  return result;
}

void hub::close(peer_id peer, bool flush) {
  impl_->board.request([loop = impl_->loop.get(), peer, flush] { loop->close(peer, flush); });
}

hub_counters hub::counters() const {
  const auto& c = impl_->board.counters;
  return {c.messages_sent,    c.messages_received, c.bytes_sent,  c.bytes_received,  c.refused_full,
          c.refused_messages, c.refused_keys,      c.ended_early, c.connections_lost};
}

} // namespace penstock::transport
