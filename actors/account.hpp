#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "dispatch/ledger.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Names in ledgers, reports and metrics for what has no stream of its own. No stream can be called like this.
inline constexpr std::string_view pictures_account_name = "(requests)"; ///< pictures that clients waited for
inline constexpr std::string_view guests_account_name = "(guests)";     ///< streams and jobs that have come and gone

/// Adds what has changed since `before` to the series, and notes it there.
void export_ledger(const metrics::stream_series& series, const dispatch::ledger& now, dispatch::ledger& before);

/// The ledger of many short streams together.
class account {
 public:
  account() = default;
  explicit account(metrics::stream_series series) : series_{std::move(series)} {}

  void received(std::uint64_t frames = 1) { total_.received += frames; }
  /// What became of frames that were received before.
  void settled(const dispatch::ledger& each);
  void add(const dispatch::ledger& each) {
    received(each.received);
    settled(each);
  }

  [[nodiscard]] const dispatch::ledger& total() const noexcept { return total_; }
  [[nodiscard]] const metrics::stream_series& series() const noexcept { return series_; }
  void show() { export_ledger(series_, total_, shown_); }

 private:
  metrics::stream_series series_;
  dispatch::ledger total_;
  dispatch::ledger shown_;
};

} // namespace penstock::actors
