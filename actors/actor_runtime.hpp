#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <cstddef>
#include <memory>
#include <optional>

#include "core/error.hpp"

namespace penstock::actors {

/// CAF as this program uses it: configured in code, a thread for each core.
class actor_runtime {
 public:
  explicit actor_runtime(std::size_t cores);

  [[nodiscard]] caf::actor_system& system() noexcept { return *system_; }

  /// Waits for all actors, which must have been told to end.
  void stop() noexcept { system_.reset(); }

 private:
  caf::actor_system_config config_;
  std::optional<caf::actor_system> system_;
};

/// Tells whoever polls that something has happened, from any thread.
class end_signal {
 public:
  [[nodiscard]] static core::expected<std::unique_ptr<end_signal>> make();
  ~end_signal();
  end_signal(const end_signal&) = delete;
  end_signal& operator=(const end_signal&) = delete;

  void raise();
  [[nodiscard]] bool raised() const noexcept { return raised_; }

  /// Becomes readable with `raise`.
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  explicit end_signal(int fd) noexcept : fd_{fd} {}

  int fd_;
  std::atomic<bool> raised_{false};
};

} // namespace penstock::actors
