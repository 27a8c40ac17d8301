#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "jobs/record.hpp"

namespace penstock::jobs {

/// A job that may want work.
struct hint {
  std::string job;
  std::string receipt; ///< opaque: this delivery of the hint
};

/// A queue of job ids. It says which job is worth looking at and is believed in nothing else: hints may get lost, come
/// twice, late or in any order, and acknowledging one with an old receipt may fail or succeed. Thread-safe; every call
/// ends within a time limit. Errors as those of `ledger`; `not_found` where a receipt is no longer valid.
class hints {
 public:
  hints() = default;
  hints(const hints&) = delete;
  hints& operator=(const hints&) = delete;
  virtual ~hints() = default;

  [[nodiscard]] virtual core::expected<void> push(std::string_view job) = 0;

  /// The next hint that is visible, which nobody else sees for about `invisible_for`; nullopt where there is none.
  /// Does not wait for one.
  [[nodiscard]] virtual core::expected<std::optional<hint>> pop(milliseconds invisible_for) = 0;

  /// Keeps a hint from others for about that long from now, and renews its receipt. A backend whose queue has one time
  /// for all hints uses that.
  [[nodiscard]] virtual core::expected<void> extend(hint& held, milliseconds invisible_for) = 0;

  /// Gives a hint back; it is seen again after about `delay`.
  [[nodiscard]] virtual core::expected<void> release(const hint& held, milliseconds delay) = 0;

  /// Removes a hint for good.
  [[nodiscard]] virtual core::expected<void> acknowledge(const hint& held) = 0;

  /// About how many hints there are, seen or not.
  [[nodiscard]] virtual core::expected<std::uint64_t> depth() = 0;
};

} // namespace penstock::jobs
