#pragma once

#include <cstdint>
#include <string_view>

#include "core/error.hpp"
#include "scaling/simulator/random.hpp"

namespace penstock::scaling::simulator {

/// How long items take, once they have been measured.
enum class variation : unsigned char {
  none,        ///< always what the curve says
  exponential, ///< the curve says the mean; for comparison with queueing theory
};

/// One worker: so many instances of the engine, each of which takes a batch from what waits at the worker, at once when
/// it is free, and is busy for `fixed + items * per_item`.
struct service_model {
  double fixed_s = 0.010;    ///< of a batch
  double per_item_s = 0.040; ///< of each of its items
  int batch = 1;             ///< most items of one
  int instances = 1;
  double overhead_s = 0.005; ///< decode, network and the rest of an item's way, which keep no instance busy
  variation varies = variation::none;

  [[nodiscard]] double busy_s(int items) const noexcept { return fixed_s + items * per_item_s; }
  [[nodiscard]] double draw_busy_s(int items, random& rng) const noexcept {
    return varies == variation::none ? busy_s(items) : rng.exponential(busy_s(items));
  }

  /// Most items per second that a worker does: all instances, full batches.
  [[nodiscard]] double most_per_s() const noexcept { return instances * batch / busy_s(batch); }

  [[nodiscard]] core::expected<void> validate() const;
};

/// Reads `fixed=10ms,item=40ms,batch=8,instances=2,overhead=5ms`; what is missing keeps its default.
[[nodiscard]] core::expected<service_model> parse_service(std::string_view text);

} // namespace penstock::scaling::simulator
