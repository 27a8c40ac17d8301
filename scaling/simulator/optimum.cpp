#include "scaling/simulator/optimum.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <numeric>

namespace penstock::scaling::simulator {

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double most_bytes = 1e9;

/// Of the sums of floating-point numbers here, far above their rounding.
constexpr double tolerance = 1e-9;

/// Between the bound and the plan, as a share: no more prices are tried then.
constexpr double close_enough = 5e-4;

/// A plan and what it costs, apart from any price of what is late.
struct plan {
  std::vector<int> workers;
  double paid_s = 0;
  double late = 0;          ///< worker seconds
  double priced = infinite; ///< both together, at the price that it is the cheapest plan for
};

/// Backwards over the slots: the least that is still to be paid, by workers in the slot and work that waits.
class planner {
 public:
  planner(const optimum_problem& problem, double grain) : p_{problem}, grain_{grain}, slots_{problem.work.size()} {
    const auto peak = *std::ranges::max_element(problem.work);
    // With these nothing is ever late; more would only make up faster for what was late before.
    auto useful = static_cast<int>(std::ceil(peak / problem.objective_s)) + 1;
    for (std::size_t t = 0; t < slots_; ++t) useful = std::max(useful, least(t));
    sizes_ = static_cast<std::size_t>(std::min(problem.most, useful)) + 1;
    for (std::size_t n = 0; n < sizes_; ++n) kept_.push_back(level_of(static_cast<double>(n) * problem.patience_s));
    lefts_ = most_left(peak, 0) + 1;
  }

  [[nodiscard]] double bytes() const noexcept {
    return static_cast<double>(slots_) * static_cast<double>(sizes_) * static_cast<double>(lefts_) * sizeof(choice);
  }

  /// The cheapest plan where a worker second of late work costs `price`; `infinite`: nothing may be late. Not priced
  /// where there is none.
  [[nodiscard]] plan cheapest(double price) {
    choices_.resize(slots_ * lefts_ * sizes_);
    // To pay from a slot's beginning on, by what waits and workers; and behind a slot, by what is left of it and
    // workers.
    std::vector<double> from((kept_.back() + 1) * sizes_);
    std::vector<double> beyond(lefts_ * sizes_, 0.0);
    for (auto t = slots_; t-- > 0;) {
      for (std::size_t n = 0; n < sizes_; ++n)
        for (std::size_t q = 0; q <= kept_[n]; ++q)
          from[q * sizes_ + n] = static_cast<int>(n) < least(t)
                                     ? infinite
                                     : static_cast<double>(n) * p_.slot_s + beyond[left_of(t, n, q) * sizes_ + n];
      if (t == 0) break;
      const auto most = most_left(p_.work[t - 1], static_cast<std::size_t>(least(t - 1)));
      for (std::size_t left = 0; left <= most; ++left) choose(t - 1, left, price, from, beyond);
    }
    const auto first = std::min_element(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(sizes_));
    if (*first == infinite) return {};
    auto found = follow(static_cast<std::size_t>(first - from.begin()));
    found.priced = *first;
    return found;
  }

 private:
  using choice = std::uint16_t;

  [[nodiscard]] int least(std::size_t t) const noexcept {
    return std::max(p_.least_always, p_.least.empty() ? 0 : p_.least[t]);
  }
  /// In grains, rounded down.
  [[nodiscard]] std::size_t level_of(double work) const noexcept {
    return static_cast<std::size_t>(work / grain_ + tolerance);
  }
  /// What so many workers do within the objective.
  [[nodiscard]] double in_time(std::size_t n) const noexcept { return static_cast<double>(n) * p_.objective_s; }

  /// What waits at the end of a slot, in grains.
  [[nodiscard]] std::size_t left_of(std::size_t t, std::size_t n, std::size_t q) const noexcept {
    return level_of(std::max(0.0, static_cast<double>(q) * grain_ + p_.work[t] - static_cast<double>(n) * p_.slot_s));
  }
  /// The most of that, whatever waited and whoever works: it grows or falls with the workers, so at one of the ends.
  [[nodiscard]] std::size_t most_left(double work, std::size_t least) const noexcept {
    const auto with = [&](std::size_t n) {
      return level_of(
          std::max(0.0, static_cast<double>(kept_[n]) * grain_ + work - static_cast<double>(n) * p_.slot_s));
    };
    return std::max(with(std::min(least, sizes_ - 1)), with(sizes_ - 1)) + 1; // each level is rounded by itself
  }
  /// Of the work that came in slot `t`, which is behind all that waited before: what is not done in time.
  [[nodiscard]] double late_of(std::size_t t, std::size_t left, std::size_t next) const noexcept {
    const auto late = std::min(static_cast<double>(left) * grain_ - in_time(next), p_.work[t]);
    return late > tolerance ? late : 0;
  }
  /// What goes on to wait in the next slot, in grains.
  [[nodiscard]] std::size_t kept_of(std::size_t left, std::size_t next) const noexcept {
    return std::min(left, kept_[next]);
  }

  /// For each number of workers in slot `t`, the best one for the next slot.
  void choose(std::size_t t, std::size_t left, double price, const std::vector<double>& from,
              std::vector<double>& beyond) {
    costs_.resize(sizes_);
    for (std::size_t n = 0; n < sizes_; ++n) {
      const auto late = late_of(t, left, n);
      costs_[n] = from[kept_of(left, n) * sizes_ + n] + (late > 0 ? late * price : 0);
    }
    auto* best = beyond.data() + left * sizes_;
    auto* chosen = choices_.data() + (t * lefts_ + left) * sizes_;
    std::size_t fewer = 0; // or as many
    for (std::size_t n = 0; n < sizes_; ++n) {
      if (costs_[n] <= costs_[fewer]) fewer = n;
      best[n] = costs_[fewer];
      chosen[n] = static_cast<choice>(fewer);
    }
    std::size_t more = sizes_ - 1;
    for (auto n = sizes_ - 1; n-- > 0;) {
      const auto with = [&](std::size_t next) { return costs_[next] + p_.boot_s * static_cast<double>(next - n); };
      if (with(n + 1) <= with(more)) more = n + 1;
      if (with(more) < best[n]) {
        best[n] = with(more);
        chosen[n] = static_cast<choice>(more);
      }
    }
  }

  [[nodiscard]] plan follow(std::size_t n) const {
    plan found;
    std::size_t waiting = 0;
    for (std::size_t t = 0; t < slots_; ++t) {
      found.workers.push_back(static_cast<int>(n));
      found.paid_s += static_cast<double>(n) * p_.slot_s;
      if (t + 1 == slots_) break;
      const auto left = left_of(t, n, waiting);
      const std::size_t next = choices_[(t * lefts_ + left) * sizes_ + n];
      if (next > n) found.paid_s += p_.boot_s * static_cast<double>(next - n);
      found.late += late_of(t, left, next);
      waiting = kept_of(left, next);
      n = next;
    }
    return found;
  }

  const optimum_problem& p_;
  double grain_;
  std::size_t slots_;
  std::size_t sizes_ = 0;         ///< numbers of workers
  std::size_t lefts_ = 0;         ///< of work that is left at its end
  std::vector<std::size_t> kept_; ///< by workers: the most that waits at the beginning of a slot, in grains
  std::vector<choice> choices_;   ///< by slot, what is left of it, and its workers: the next slot's workers
  std::vector<double> costs_;
};

} // namespace

core::expected<void> optimum_problem::validate() const {
  const auto wrong = [](const char* what) { return core::fail(core::errc::invalid_argument, what); };
  if (work.empty()) return wrong("optimum: no slots");
  if (std::ranges::any_of(work, [](double w) { return !(w >= 0) || w > 1e6; }))
    return wrong("optimum: work below 0 or above a million workers");
  if (!least.empty() && least.size() != work.size()) return wrong("optimum: least is not of as many slots as work");
  if (most < 1 || most > 60'000) return wrong("optimum: most is not from 1 to 60000");
  if (!(objective_s > 0) || slot_s < objective_s) return wrong("optimum: slots are shorter than the objective");
  if (patience_s < objective_s) return wrong("optimum: patience is below the objective");
  if (boot_s < 0) return wrong("optimum: boot is below 0");
  if (late_share < 0 || late_share >= 1) return wrong("optimum: late_share is not from 0 to below 1");
  if (!(grain > 0)) return wrong("optimum: grain is not above 0");
  return {};
}

core::expected<optimum> find_optimum(const optimum_problem& problem) {
  if (const auto valid = problem.validate(); !valid) return tl::unexpected{valid.error()};
  auto grain = problem.grain;
  while (planner{problem, grain}.bytes() > most_bytes) grain *= 2;
  planner plans{problem, grain};
  const auto total = std::accumulate(problem.work.begin(), problem.work.end(), 0.0);
  const auto allowed = problem.late_share * total;
  optimum best;
  best.grain = grain;
  best.plan_s = infinite;
  const auto keep = [&](plan&& found) {
    if (found.paid_s >= best.plan_s) return;
    best.plan_s = found.paid_s;
    best.late_share = total > 0 ? found.late / total : 0;
    best.workers = std::move(found.workers);
  };
  if (allowed == 0) {
    auto found = plans.cheapest(infinite);
    if (found.priced == infinite)
      return core::fail(core::errc::unavailable, fmt::format("optimum: {} workers are too few", problem.most));
    best.bound_s = found.priced;
    keep(std::move(found));
    return best;
  }
  // At a high price little is late, at a low one much.
  double low = 1e-3;
  double high = 1e7;
  for (int i = 0; i < 24; ++i) {
    const auto price = i == 0 ? high : std::sqrt(low * high);
    auto found = plans.cheapest(price);
    if (found.priced == infinite) break;
    best.bound_s = std::max(best.bound_s, found.priced - price * allowed);
    const bool enough = found.late <= allowed + tolerance;
    (enough ? high : low) = price;
    if (enough) keep(std::move(found));
    if (high / low < 1.0001 || best.plan_s - best.bound_s <= close_enough * best.plan_s) break;
  }
  if (best.plan_s == infinite)
    return core::fail(core::errc::unavailable, fmt::format("optimum: {} workers are too few", problem.most));
  best.bound_s = std::min(best.bound_s, best.plan_s);
  return best;
}

} // namespace penstock::scaling::simulator
