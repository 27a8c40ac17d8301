#include "kernels/cpu/taps.hpp"

#include <algorithm>
#include <cmath>

namespace penstock::kernels::cpu {

namespace {

/// Samples in [from, to), in floating point.
struct exact_run {
  int first = 0;
  std::vector<double> weights; ///< sum 1
};

exact_run bilinear_run(const axis& a, int pixel) {
  const auto centre = (pixel + 0.5) * a.step - 0.5;
  const auto left = static_cast<int>(std::floor(centre));
  const auto fraction = centre - left;
  if (left < 0) return {0, {1}};
  if (left >= a.samples - 1) return {a.samples - 1, {1}};
  return {left, {1 - fraction, fraction}};
}

exact_run area_run(const axis& a, int pixel) {
  const auto from = std::clamp(pixel * a.step, 0.0, a.samples - 1.0);
  const auto to = std::clamp((pixel + 1) * a.step, from, static_cast<double>(a.samples));
  exact_run run{static_cast<int>(from), {}};
  // slivers come from rounding of the products only
  const auto sliver = 1e-7 * a.step;
  if (run.first + 1 - from < sliver && run.first + 1 < a.samples) ++run.first;
  for (int i = run.first; i < to - sliver || i == run.first; ++i)
    run.weights.push_back((std::min<double>(i + 1, to) - std::max<double>(i, from)) / (to - from));
  return run;
}

exact_run run_of(const axis& a, int pixel) {
  return a.filter == filter::area && a.step > 1 ? area_run(a, pixel) : bilinear_run(a, pixel);
}

/// Weights as integers whose sum is exactly `total`.
void quantise(const std::vector<double>& weights, double total, std::vector<std::int64_t>& out) {
  out.clear();
  double sum = 0;
  std::int64_t before = 0;
  for (const auto w : weights) {
    sum += w;
    const auto now = out.size() + 1 == weights.size() ? std::llround(total) : std::llround(sum * total);
    out.push_back(now - before);
    before = now;
  }
}

std::vector<exact_run> runs_of(const axis& a) {
  std::vector<exact_run> runs(static_cast<std::size_t>(a.count));
  for (int i = 0; i < a.count; ++i) runs[static_cast<std::size_t>(i)] = run_of(a, a.first + i);
  return runs;
}

int longest(const std::vector<exact_run>& runs) {
  std::size_t n = 1;
  for (const auto& run : runs) n = std::max(n, run.weights.size());
  return static_cast<int>(n);
}

interval to_interval(const exact_run& run) {
  const auto last = run.first + static_cast<std::int32_t>(run.weights.size()) - 1;
  if (last == run.first) return {run.first, last, 1, 0, 1};
  const auto inner = run.weights.size() > 2 ? run.weights[1] : 1.0;
  return {run.first, last, static_cast<float>(run.weights.front() / inner),
          static_cast<float>(run.weights.back() / inner), static_cast<float>(inner)};
}

} // namespace

row_taps make_row_taps(const axis& a) {
  const auto runs = runs_of(a);
  row_taps taps;
  taps.wide = longest(runs) > max_narrow_taps;
  std::vector<std::int64_t> weights;
  for (const auto& run : runs) {
    // two taps are weighed in steps of 1/256, which 16-bit products hold without loss
    const bool two = !taps.wide && run.weights.size() == 2;
    quantise(run.weights, taps.wide ? 0x1p24 : two ? 0x1p8 : 0x1p16, weights);
    for (auto& w : weights) w *= two ? 256 : 1;
    tap_run r{run.first, static_cast<std::int32_t>(weights.size()), static_cast<std::uint32_t>(taps.weights.size())};
    if (weights.size() == 2 && weights[0] == 0) r = {run.first + 1, 1, r.at + 1};
    if (weights.size() == 2 && weights[1] == 0) r.count = 1;
    for (const auto w : weights) taps.weights.push_back(static_cast<std::uint32_t>(w));
    taps.runs.push_back(r);
  }
  return taps;
}

column_taps make_column_taps(const axis& a) {
  const auto runs = runs_of(a);
  column_taps taps;
  const auto n = longest(runs);
  if (n > max_narrow_taps) {
    for (const auto& run : runs) taps.intervals.push_back(to_interval(run));
    return taps;
  }
  taps.pairs = (n + 1) / 2;
  taps.padded = (runs.size() + 63) / 64 * 64;
  taps.offsets.resize(taps.padded);
  taps.weights.resize(2 * taps.padded * static_cast<std::size_t>(taps.pairs));
  std::vector<std::int64_t> weights;
  for (std::size_t x = 0; x < runs.size(); ++x) {
    taps.offsets[x] = runs[x].first * 2;
    quantise(runs[x].weights, 0x1p14, weights);
    for (std::size_t k = 0; k < weights.size(); ++k)
      taps.weights[2 * (k / 2 * taps.padded + x) + k % 2] = static_cast<std::int16_t>(weights[k]);
  }
  return taps;
}

} // namespace penstock::kernels::cpu
