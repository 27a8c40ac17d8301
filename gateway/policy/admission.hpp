#pragma once

#include <cstddef>

#include "core/time.hpp"
#include "gateway/options.hpp"

namespace penstock::gateway::policy {

/// Decides which requests are let in, so that those which are keep their latency. It measures how many are finished in
/// a second while there is work, and predicts a newcomer's wait from it: those before it divided by that rate. Nobody
/// is refused while nothing is under way, so a rate that was measured too low mends itself.
class admission {
 public:
  explicit admission(admission_options options) : options_{options} {}

  struct verdict {
    bool admitted = false;
    core::seconds wait{0};        ///< predicted, until it would be served
    core::seconds retry_after{0}; ///< refused: until there should be room
  };

  /// A request comes that wants its answer within `deadline`. Admitted ones must be reported by `leave`.
  [[nodiscard]] verdict enter(core::time_point now, core::seconds deadline);

  /// An admitted request is over. `served`: it got its answer; those given up say nothing about the rate.
  void leave(core::time_point now, bool served);

  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  /// Requests finished in a second of work; 0 while nothing was measured.
  [[nodiscard]] double rate_per_s() const noexcept;

 private:
  void advance(core::time_point now);

  admission_options options_;
  std::size_t in_flight_ = 0;
  core::time_point at_{};
  double busy_s_ = 0;    ///< time with work under way until the last finished request, older time counting less
  double served_ = 0;    ///< requests finished in that time, weighted alike
  double pending_s_ = 0; ///< time with work under way since then
};

} // namespace penstock::gateway::policy
