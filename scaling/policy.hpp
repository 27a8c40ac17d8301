#pragma once

#include <memory>
#include <string>

#include "scaling/signals.hpp"

namespace penstock::scaling {

/// What a policy wants, and why in words that fit on one line.
struct proposal {
  int workers = 0;
  std::string why;
};

/// How many workers there should be. A pure state machine: it is given signals in the order of their times and keeps
/// what it must remember; time comes with them. Not thread-safe.
class policy {
 public:
  virtual ~policy() = default;

  /// Name as in the topology: `rate`, `threshold`, `schedule`.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;

  /// Called once for each interval. `seen` is fresh: stale signals never get here (the controller holds the fleet).
  [[nodiscard]] virtual proposal propose(const signals& seen) = 0;
};

using policy_ptr = std::unique_ptr<policy>;

} // namespace penstock::scaling
