#pragma once

namespace penstock::cli {

/// SIGINT and SIGTERM as a file descriptor. To be made before the first thread, which inherits the mask.
class signals {
 public:
  signals();
  ~signals();
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }

  /// Takes one signal; false when there was none.
  [[nodiscard]] bool take() const;

 private:
  int fd_ = -1;
};

} // namespace penstock::cli
