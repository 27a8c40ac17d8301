#include "scaling/source/pool_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <optional>

#include "dispatch/pool_meter.hpp"

namespace penstock::scaling {
namespace {

constexpr std::string_view jobs_family = "penstock_pool_backlog_of_jobs_items";

/// Values of one role; remembers the first thing that is wrong.
class reading {
 public:
  reading(const std::vector<metric_sample>& samples, std::string_view role) : role_{role} {
    for (const auto& each : samples) {
      if (each.label("role") == role) of_role_.push_back(&each);
    }
  }

  double sum(std::string_view family, const char* key = nullptr, std::string_view value = {}) {
    double out = 0;
    for (const auto one : values(family, key, value)) out += one;
    return out;
  }

  double largest(std::string_view family) {
    const auto all = values(family);
    return all.empty() ? 0 : *std::max_element(all.begin(), all.end());
  }

  /// Of those above 0.
  double mean(std::string_view family) {
    double total = 0;
    int count = 0;
    for (const auto one : values(family)) {
      total += one;
      count += one > 0 ? 1 : 0;
    }
    return count == 0 ? 0 : total / count;
  }

  /// 0 where the family is absent.
  double sum_if_there(std::string_view family) { return has(family) ? sum(family) : 0; }
  double largest_if_there(std::string_view family) { return has(family) ? largest(family) : 0; }
  double mean_if_there(std::string_view family) { return has(family) ? mean(family) : 0; }

  [[nodiscard]] const std::optional<core::error>& wrong() const { return wrong_; }

 private:
  [[nodiscard]] bool has(std::string_view family) const {
    return std::any_of(of_role_.begin(), of_role_.end(), [&](const auto* each) { return each->name == family; });
  }

  std::vector<double> values(std::string_view family, const char* key = nullptr, std::string_view value = {}) {
    std::vector<double> out;
    for (const auto* each : of_role_) {
      if (each->name != family || (key != nullptr && each->label(key) != value)) continue;
      if (!std::isfinite(each->value) || each->value < 0) {
        complain(core::errc::corrupt, family, key, value, fmt::format("is {}", each->value));
      }
      out.push_back(each->value);
    }
    if (out.empty()) complain(core::errc::unavailable, family, key, value, "is absent");
    return out;
  }

  void complain(core::errc code, std::string_view family, const char* key, std::string_view value,
                std::string_view what) {
    if (wrong_) return;
    const auto more = key == nullptr ? std::string{} : fmt::format(",{}=\"{}\"", key, value);
    wrong_ = core::error{code, fmt::format("{}{{role=\"{}\"{}}} {}", family, role_, more, what)};
  }

  std::string_view role_;
  std::vector<const metric_sample*> of_role_;
  std::optional<core::error> wrong_;
};

} // namespace

core::expected<signals> signals_of(const std::vector<metric_sample>& samples, std::string_view role,
                                   const pool_increase& increase) {
  reading in{samples, role};
  signals out;
  out.window = dispatch::pool_meter_config{}.window;
  const auto workers = [&in](std::string_view state) {
    return static_cast<int>(std::lround(in.sum("penstock_pool_workers", "state", state)));
  };
  out.workers = {workers("joining"), workers("warming"), workers("ready"), workers("draining"), workers("lost")};
  out.arrivals_per_s = in.sum("penstock_pool_arrival_rate_items_per_second");
  out.service_per_s = in.mean("penstock_pool_service_rate_items_per_second");
  out.utilisation = std::min(1.0, in.largest("penstock_pool_worker_utilisation_ratio"));
  // What waits in the queue of jobs is the same for all heads.
  const double of_jobs = in.sum_if_there(jobs_family) - in.largest_if_there(jobs_family);
  out.backlog_items = std::max(0.0, in.sum("penstock_pool_backlog_items") - of_jobs);
  out.oldest = core::seconds{in.largest("penstock_pool_oldest_waiting_seconds")};
  out.live_streams = static_cast<int>(std::lround(in.sum_if_there("penstock_pool_live_streams")));
  out.streams_per_worker = in.mean_if_there("penstock_pool_streams_per_worker");
  if (in.wrong()) return tl::unexpected{*in.wrong()};
  if (increase.over.count() > 0) {
    out.served_per_s = increase.finished / increase.over.count();
    // What was given up is late and never finished.
    const auto items = std::max(increase.finished, increase.late);
    out.late_share = items > 0 ? increase.late / items : 0;
  }
  return out;
}

} // namespace penstock::scaling
