#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "metrics/instruments.hpp"

namespace penstock::gateway::routes {

/// A bounded number of readers, each of whom holds a place as long as it lives. Thread-safe.
class places : public std::enable_shared_from_this<places> {
 public:
  places(std::size_t most, metrics::gauge shown) : most_{most}, shown_{shown} {}

  /// Null if all are taken.
  [[nodiscard]] std::shared_ptr<void> take() {
    for (auto n = taken_.load(); n < most_;) {
      if (!taken_.compare_exchange_weak(n, n + 1)) continue;
      shown_.add(1);
      return {this, [self = shared_from_this()](void*) {
                --self->taken_;
                self->shown_.add(-1);
              }};
    }
    return nullptr;
  }

 private:
  std::size_t most_;
  metrics::gauge shown_;
  std::atomic<std::size_t> taken_{0};
};

} // namespace penstock::gateway::routes
