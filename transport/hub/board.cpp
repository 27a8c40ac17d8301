#include "transport/hub/board.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <spdlog/spdlog.h>
#include <system_error>
#include <utility>

namespace penstock::transport {

hub_board::~hub_board() {
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

core::expected<void> hub_board::open() {
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return core::fail(core::errc::io, "eventfd: " + std::generic_category().message(errno));
  return {};
}

void hub_board::wake() const {
  const std::uint64_t one = 1;
  if (::write(wake_fd_, &one, sizeof one) != sizeof one)
    spdlog::error("hub: eventfd: {}", std::generic_category().message(errno));
}

void hub_board::announce(peer_id peer) {
  bool asleep = false;
  {
    const std::lock_guard lock{mutex_};
    work_.waiting.push_back(peer);
    asleep = !std::exchange(awake_, true);
  }
  if (asleep) wake();
}

void hub_board::request(std::function<void()> what) {
  bool asleep = false;
  {
    const std::lock_guard lock{mutex_};
    work_.requests.push_back(std::move(what));
    asleep = !std::exchange(awake_, true);
  }
  if (asleep) wake();
}

void hub_board::publish(peer_id peer, std::shared_ptr<outbox> out) {
  const std::lock_guard lock{mutex_};
  outboxes_[peer.value] = std::move(out);
}

void hub_board::retract(peer_id peer) {
  const std::lock_guard lock{mutex_};
  outboxes_.erase(peer.value);
}

std::shared_ptr<outbox> hub_board::find(peer_id peer) const {
  const std::lock_guard lock{mutex_};
  const auto at = outboxes_.find(peer.value);
  return at == outboxes_.end() ? nullptr : at->second;
}

void hub_board::take(work& into) {
  const std::lock_guard lock{mutex_};
  into.waiting.swap(work_.waiting);
  into.requests.swap(work_.requests);
}

bool hub_board::may_sleep() {
  const std::lock_guard lock{mutex_};
  if (!work_.waiting.empty() || !work_.requests.empty()) return false;
  awake_ = false;
  return true;
}

void hub_board::awoke(bool woken) {
  {
    const std::lock_guard lock{mutex_};
    awake_ = true;
  }
  std::uint64_t wakes = 0;
  if (woken && ::read(wake_fd_, &wakes, sizeof wakes) < 0)
    spdlog::error("hub: eventfd: {}", std::generic_category().message(errno));
}

} // namespace penstock::transport
