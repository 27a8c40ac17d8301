#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/preprocess.hpp"

namespace penstock::kernels::cpu {

/// How one axis of a plane is sampled.
struct axis {
  int samples = 0; ///< of the plane along the axis
  double step = 1; ///< samples per resized pixel
  int first = 0;   ///< first resized pixel wanted
  int count = 0;   ///< number of resized pixels wanted
  kernels::filter filter = kernels::filter::bilinear;
};

/// Taps of every pixel of an axis: pixel i is Σ_k weights[at + k] · sample[first + k] / total over `count` samples.
struct tap_run {
  std::int32_t first = 0;
  std::int32_t count = 0;
  std::uint32_t at = 0;
};

/// Above this many taps a pixel, 16-bit weights get too coarse, and the slow exact ways are taken.
inline constexpr int max_narrow_taps = 32;

/// Vertical taps. A run of one tap means that sample alone.
struct row_taps {
  bool wide = false;                  ///< some run is longer than `max_narrow_taps`
  std::vector<tap_run> runs;          ///< one per tensor row
  std::vector<std::uint32_t> weights; ///< a run's sum is 2^16, or 2^24 when wide
};

/// The mean of an interval of samples: (first · head + the samples between + last · tail) · scale.
struct interval {
  std::int32_t first = 0;
  std::int32_t last = 0; ///< equal to first: only first · head counts
  float head = 0;
  float tail = 0;
  float scale = 0; ///< one over the interval's length
};

/// Horizontal taps in pairs, for multiply-add of neighbours: pair k of pixel x reads the samples at byte
/// offsets[x] + 4 · k of a row of 16-bit samples, with weights[2 · (k · padded + x)] and the next one. Sum 2^14.
struct column_taps {
  int pairs = 0;                     ///< 0: taken from `intervals`
  std::size_t padded = 0;            ///< pixels rounded up, so that full vectors can be read
  std::vector<std::int32_t> offsets; ///< bytes
  std::vector<std::int16_t> weights;
  std::vector<interval> intervals;
};

[[nodiscard]] row_taps make_row_taps(const axis& a);
[[nodiscard]] column_taps make_column_taps(const axis& a);

} // namespace penstock::kernels::cpu
