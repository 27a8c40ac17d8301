#include "scaling/fleet/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fmt/format.h>

#include "core/time.hpp"
#include "scaling/fleet/pidfd.hpp"
#include "scaling/fleet/spawn.hpp"

namespace penstock::scaling {
namespace {

constexpr std::size_t most_bytes = 4U << 20U;

/// What a child writes, kept up to a bound: the first bytes, or the last.
struct sink {
  descriptor from;
  std::string text;
  bool keeps_last = false;
  bool too_large = false;

  /// Takes what is there; false at the end.
  bool take() {
    std::array<char, 65'536> buffer{};
    while (true) {
      const auto n = ::read(from.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return n < 0 && errno == EAGAIN;
      text.append(buffer.data(), static_cast<std::size_t>(n));
      if (text.size() <= most_bytes) continue;
      if (!keeps_last) {
        too_large = true;
        return false;
      }
      text.erase(0, text.size() - most_bytes / 2);
    }
  }
};

/// A pipe whose reading end does not block: the sink, and the end for the child.
core::expected<descriptor> open_pipe(sink& into) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("pipe", errno);
  into.from = descriptor{ends[0]};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return descriptor{ends[1]};
}

/// A file in memory that holds a text, at its start: no write to a child can block or raise a signal.
core::expected<descriptor> file_of(std::string_view text) {
  descriptor out{::memfd_create("input", MFD_CLOEXEC)};
  if (!out) return system_failure("memfd_create", errno);
  if (::write(out.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(out.get(), 0, SEEK_SET) != 0) {
    return system_failure("memfd", errno);
  }
  return out;
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  const auto start = text.rfind('\n');
  auto line = std::string{start == std::string_view::npos ? text : text.substr(start + 1)};
  constexpr std::size_t most = 400;
  if (line.size() > most) line.resize(most);
  return line;
}

/// A child that is waited for, and killed with its group before that.
class child {
 public:
  explicit child(pid_t pid) : pid_{pid}, fd_{::pidfd_open(pid, 0)} {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    // Not reaped yet, so that its group is still its own.
    if (pid_ >= 0) ::kill(-pid_, SIGKILL);
    static_cast<void>(finish());
  }

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Waits for its end, and gives its status.
  int finish() {
    if (pid_ < 0) return status_;
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status_;
  }

 private:
  pid_t pid_;
  descriptor fd_;
  int status_ = 0;
};

} // namespace

core::expected<std::string> run_command(const std::vector<std::string>& words, std::string_view input,
                                        std::chrono::milliseconds limit) {
  const auto until = core::clock::now() + limit;
  sink out;
  sink err;
  err.keeps_last = true;
  const auto in = file_of(input);
  if (!in) return tl::unexpected{in.error()};
  auto to_out = open_pipe(out);
  if (!to_out) return tl::unexpected{to_out.error()};
  auto to_err = open_pipe(err);
  if (!to_err) return tl::unexpected{to_err.error()};
  const auto pid = spawn(words, {in->get(), to_out->get(), to_err->get()});
  if (!pid) return tl::unexpected{pid.error()};
  child running{*pid};
  if (running.fd() < 0) return system_failure("pidfd_open", errno);
  { const descriptor ours{std::move(*to_out)}, theirs{std::move(*to_err)}; } // so that the ends are seen
  std::array<pollfd, 3> ready{pollfd{running.fd(), POLLIN, 0}, pollfd{out.from.get(), POLLIN, 0},
                              pollfd{err.from.get(), POLLIN, 0}};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - core::clock::now());
    if (left.count() <= 0) {
      return core::fail(core::errc::timeout, fmt::format("{}: killed after {} ms", words.front(), limit.count()));
    }
    const auto events =
        ::poll(ready.data(), ready.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (events < 0 && errno != EINTR) return system_failure("poll", errno);
    if (events <= 0) continue;
    // Its end first: what it wrote before that is in the pipes then.
    const auto has_ended = ready[0].revents != 0;
    if (!out.take()) ready[1].fd = -1;
    if (!err.take()) ready[2].fd = -1;
    if (out.too_large) {
      return core::fail(core::errc::too_large, fmt::format("{}: wrote more than {} bytes", words.front(), most_bytes));
    }
    if (has_ended) break;
  }
  const auto status = running.finish();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(out.text);
  const auto how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                       : fmt::format("exit status {}", WEXITSTATUS(status));
  const auto why = last_line(err.text);
  return core::fail(core::errc::unavailable,
                    fmt::format("{}: {}{}{}", words.front(), how, why.empty() ? "" : ": ", why));
}

} // namespace penstock::scaling
