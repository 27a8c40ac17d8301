#include "transport/hub.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <spdlog/spdlog.h>
#include <system_error>
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
  hub_board board;
  int wake_fd = -1;
  std::unique_ptr<hub_loop> loop;
  std::thread thread;

  ~impl() {
    if (thread.joinable()) {
      request([this] { loop->stop(); });
      thread.join();
    }
    loop.reset();
    if (wake_fd >= 0) ::close(wake_fd);
  }

  void wake() const {
    const std::uint64_t one = 1;
    if (::write(wake_fd, &one, sizeof one) != sizeof one)
      spdlog::error("hub: eventfd: {}", std::generic_category().message(errno));
  }

  void request(std::function<void()> what) {
    bool asleep = false;
    {
      const std::lock_guard lock{board.mutex};
      board.requests.push_back(std::move(what));
      asleep = !std::exchange(board.awake, true);
    }
    if (asleep) wake();
  }

  /// Has the thread do something and waits for what comes of it.
  template <class F>
  auto ask(F what) -> core::expected<std::invoke_result_t<F>> {
    using value = std::invoke_result_t<F>;
    if (std::this_thread::get_id() == thread.get_id()) {
      try {
        return what();
      } catch (const zmq::error_t& e) {
        return core::fail(core::errc::io, e.what());
      }
    }
    std::promise<core::expected<value>> answer;
    auto coming = answer.get_future();
    request([&] {
      try {
        answer.set_value(what());
      } catch (const zmq::error_t& e) {
        answer.set_value(core::fail(e.num() == EINVAL || e.num() == EPROTONOSUPPORT || e.num() == ENODEV
                                        ? core::errc::bad_config
                                        : core::errc::io,
                                    e.what()));
      }
    });
    return coming.get();
  }
};

core::expected<std::unique_ptr<hub>> hub::start(hub_options options) {
  if (options.keys && zmq_has("curve") == 0)
    return core::fail(core::errc::unsupported, "this libzmq was built without CURVE");
  auto state = std::make_unique<impl>();
  state->options = std::move(options);
  state->wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (state->wake_fd < 0) return core::fail(core::errc::io, "eventfd: " + std::generic_category().message(errno));
  try {
    state->loop = std::make_unique<hub_loop>(state->options, state->board, state->wake_fd);
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
  if (!impl_->options.keys && !insecure && !is_local(address)) {
    return core::fail(
        core::errc::bad_config,
        fmt::format("{} can be reached from other machines and there are no keys: make some (penstock keys), "
                    "or write security.insecure: true",
                    address));
  }
  auto bound = impl_->ask([&] { return impl_->loop->listen(address, std::move(events)); });
  if (!bound) return core::fail(address, bound.error());
  return bound;
}

core::expected<peer_id> hub::dial(const std::string& address, link_events events) {
  return impl_->ask([&] { return impl_->loop->dial(address, std::move(events)); });
}

send_result hub::send(peer_id to, const message& m) {
  auto& board = impl_->board;
  std::shared_ptr<outbox> out;
  {
    const std::lock_guard lock{board.mutex};
    const auto at = board.outboxes.find(to.value);
    if (at == board.outboxes.end()) return send_result::gone;
    out = at->second;
  }
  bool first = false;
  const auto result = out->put(m, first);
  if (result == send_result::full) ++board.counters.refused_full;
  if (result != send_result::queued) return result;
  ++board.counters.messages_sent;
  if (!first) return result;
  bool asleep = false;
  {
    const std::lock_guard lock{board.mutex};
    board.waiting.push_back(to);
    asleep = !std::exchange(board.awake, true);
  }
  if (asleep) impl_->wake();
  return result;
}

void hub::close(peer_id peer, bool flush) {
  impl_->request([loop = impl_->loop.get(), peer, flush] { loop->close(peer, flush); });
}

hub_counters hub::counters() const {
  const auto& c = impl_->board.counters;
  return {c.messages_sent, c.messages_received, c.bytes_sent,   c.bytes_received,
          c.refused_full,  c.refused_messages,  c.refused_keys, c.connections_lost};
}

} // namespace penstock::transport
