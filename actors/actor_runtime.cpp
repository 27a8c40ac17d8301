#include "actors/actor_runtime.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <caf/atom.hpp>
#include <cerrno>
#include <cstdint>
#include <spdlog/spdlog.h>
#include <system_error>

namespace penstock::actors {

actor_runtime::actor_runtime(std::size_t cores) {
  config_.set("scheduler.policy", caf::atom("sharing"));
  config_.set("scheduler.max-threads", static_cast<std::uint64_t>(cores));
  config_.set("scheduler.max-throughput", std::uint64_t{1});
  system_.emplace(config_);
}

core::expected<std::unique_ptr<end_signal>> end_signal::make() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return core::fail(core::errc::io, "eventfd: " + std::generic_category().message(errno));
  return std::unique_ptr<end_signal>{new end_signal{fd}};
}

end_signal::~end_signal() { ::close(fd_); }

void end_signal::raise() {
  raised_ = true;
  const std::uint64_t one = 1;
  if (::write(fd_, &one, sizeof one) != sizeof one)
    spdlog::error("eventfd: {}", std::generic_category().message(errno));
}

} // namespace penstock::actors
