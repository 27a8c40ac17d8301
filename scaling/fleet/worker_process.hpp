#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/error.hpp"

namespace penstock::scaling {

/// A process of this machine, for good: a number alone may come to mean another one.
struct process_identity {
  pid_t pid = -1;
  std::uint64_t started = 0; ///< in ticks since the boot
  std::string boot;          ///< id of that boot

  bool operator==(const process_identity&) const = default;
};

/// Who has that number now; nullopt where nobody does or it has ended and only waits to be reaped.
[[nodiscard]] std::optional<process_identity> identify(pid_t pid);

/// Sends a signal to that process and to no other. False where it has ended.
[[nodiscard]] bool signal_process(const process_identity& to, int signal);

/// The process that was started with `variable` ("NAME=value") in its environment, of those that this user may look
/// at; the oldest of several.
[[nodiscard]] std::optional<process_identity> find_by_environment(const std::string& variable);

/// What is kept about a worker's process in a file.
struct process_record {
  std::optional<process_identity> process; ///< none: it was about to be started
  std::int64_t stopping_since_ms = 0;      ///< by the clock of the boot; 0: it is not stopping
};

/// Errors: `not_found`, `io`, `corrupt`.
[[nodiscard]] core::expected<process_record> read_record(const std::filesystem::path& file);

/// Replaces the file in one step.
[[nodiscard]] core::expected<void> write_record(const std::filesystem::path& file, const process_record& record);

/// Milliseconds since the boot, the time of sleep included: goes on over the end of this process.
[[nodiscard]] std::int64_t boot_clock_ms();

} // namespace penstock::scaling
