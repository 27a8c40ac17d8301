#pragma once

#include <memory>

#include "core/error.hpp"
#include "scaling/signals.hpp"

namespace penstock::scaling {

/// Where signals come from: a Prometheus server or the head. Blocks for as long as its limits let it.
class signal_source {
 public:
  virtual ~signal_source() = default;

  /// The signals now. An error, or signals older than the controller's `stale_after`, freeze the fleet.
  [[nodiscard]] virtual core::expected<signals> read() = 0;
};

using source_ptr = std::unique_ptr<signal_source>;

} // namespace penstock::scaling
