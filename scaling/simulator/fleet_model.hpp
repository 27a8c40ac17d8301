#pragma once

#include <limits>
#include <string_view>

#include "core/error.hpp"

namespace penstock::scaling::simulator {

/// What machines cost and how they come and go.
struct fleet_model {
  double boot_from_s = 240; ///< from the request of an instance until its worker says hello; drawn evenly
  double boot_to_s = 240;
  double warm_s = 0;      ///< from there until it is ready: its model is loaded
  double price_per_h = 1; ///< of one instance, from its request to its end, booting and draining included
  int initial = 1;        ///< ready at the beginning
  int available =
      std::numeric_limits<int>::max(); ///< no more instances than this can be had; what is beyond is not given
  double fails = 0;       ///< probability that an instance fails to boot, which is known when it should have
  double spot_life_s = 0; ///< mean life of a ready instance before it is taken away; 0: for ever
  double notice_s = 30;   ///< of that; 0: none

  /// Longest time from the request of an instance until it works.
  [[nodiscard]] double slowest_start_s() const noexcept { return boot_to_s + warm_s; }
  /// Shortest one.
  [[nodiscard]] double fastest_start_s() const noexcept { return boot_from_s + warm_s; }

  [[nodiscard]] core::expected<void> validate() const;
};

/// Reads `boot=240s,price=0.9/h,initial=20,available=40,fails=0.05,spot=2h,notice=30s,warm=5s`, `boot=180s..300s`; what
/// is missing stays as it is in `model`.
[[nodiscard]] core::expected<fleet_model> parse_fleet(std::string_view text, fleet_model model = {});

} // namespace penstock::scaling::simulator
