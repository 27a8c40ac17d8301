#include "tests/unit/scaling/optimum.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace penstock::scaling::test {

namespace {

/// Work that waits is counted in parts of what a worker does in a second.
constexpr double grain = 0.5;

struct path {
  double price = std::numeric_limits<double>::infinity(); ///< of instances and of late items
  double late = 0;

  bool operator<(const path& other) const noexcept { return price < other.price; }
};

/// Share of a second's arrivals that wait longer than `most` while the waiting work goes from one figure to the other.
double share_above(double from, double to, double most) {
  if (from <= most && to <= most) return 0;
  if (from >= most && to >= most) return 1;
  return (std::max(from, to) - most) / std::abs(to - from);
}

class search {
 public:
  search(const std::vector<double>& load, const optimum_options& options) : options_{options} {
    double rest = 0; // what rounding leaves goes to the next second
    for (const auto items : load) {
      rest += items / options.service_per_s / grain;
      work_.push_back(std::floor(rest));
      rest -= work_.back();
    }
    const double most = *std::max_element(work_.begin(), work_.end());
    sizes_ = static_cast<std::size_t>(most * grain) + 2;
    levels_ = static_cast<std::size_t>(3 * most) + 1;
  }

  [[nodiscard]] path best(double price_of_late) const {
    std::vector<path> at(sizes_ * levels_);
    for (std::size_t n = 1; n < sizes_; ++n) at[n * levels_] = {0, 0};
    for (const auto arriving : work_) {
      resize(at);
      at = serve(at, arriving, price_of_late);
    }
    return *std::min_element(at.begin(), at.end());
  }

 private:
  void resize(std::vector<path>& at) const {
    for (std::size_t i = (sizes_ - 1) * levels_; i-- > levels_;) at[i] = std::min(at[i], at[i + levels_]);
    for (std::size_t i = 2 * levels_; i < at.size(); ++i) {
      const auto& fewer = at[i - levels_];
      at[i] = std::min(at[i], {fewer.price + options_.boot.count(), fewer.late});
    }
  }

  [[nodiscard]] std::vector<path> serve(const std::vector<path>& at, double arriving, double price_of_late) const {
    std::vector<path> next(at.size());
    for (std::size_t n = 1; n < sizes_; ++n) {
      const double capacity = static_cast<double>(n) / grain;
      for (std::size_t q = 0; q < levels_; ++q) {
        auto step = at[n * levels_ + q];
        if (!std::isfinite(step.price)) continue;
        const double before = static_cast<double>(q);
        const double after = before + arriving - capacity;
        const double late = arriving * grain * share_above(before, after, capacity * options_.objective.count());
        step.price += static_cast<double>(n) + late * price_of_late;
        step.late += late;
        const auto left = static_cast<std::size_t>(std::clamp(after, 0.0, static_cast<double>(levels_ - 1)));
        auto& to = next[n * levels_ + left];
        to = std::min(to, step);
      }
    }
    return next;
  }

  optimum_options options_;
  std::vector<double> work_;
  std::size_t sizes_ = 0;
  std::size_t levels_ = 0;
};

} // namespace

optimum clairvoyant(const std::vector<double>& arrivals, const optimum_options& options) {
  const search within{arrivals, options};
  const double work = std::accumulate(arrivals.begin(), arrivals.end(), 0.0) / options.service_per_s;
  optimum found;
  double low = 1;
  double high = 1024;
  for (int i = 0; i < 8; ++i) {
    const double price = i == 0 ? high : std::sqrt(low * high);
    const auto tried = within.best(price);
    if (tried.late <= options.late_share * work) {
      high = price;
      found = {tried.price - price * tried.late, tried.late / work};
    } else {
      low = price;
    }
  }
  return found;
}

} // namespace penstock::scaling::test
