#include "cli/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace penstock::cli {

signals::signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  ::signal(SIGPIPE, SIG_IGN);
}

signals::~signals() { ::close(fd_); }

bool signals::take() const {
  signalfd_siginfo info{};
  return ::read(fd_, &info, sizeof info) == sizeof info;
}

} // namespace penstock::cli
