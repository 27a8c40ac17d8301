#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/decode_scan.hpp"

/// Classification of one item by a block of threads (`Block`: see decode_sort.hpp).
namespace penstock::kernels::decoding {

/// What is known of a classifier's values before any is chosen.
struct value_totals {
  float most = -std::numeric_limits<float>::infinity();
  bool negative = false; ///< whether any is
  double sum = 0;

  PENSTOCK_PORTABLE void see(float value) {
    most = greater(most, value);
    negative = negative || value < 0;
    sum += static_cast<double>(value);
  }

  PENSTOCK_PORTABLE void join(const value_totals& other) {
    most = greater(most, other.most);
    negative = negative || other.negative;
    sum += other.sum;
  }

  /// Values that are not negative and sum to 1 are probabilities already; f16 models do so only roughly.
  [[nodiscard]] PENSTOCK_PORTABLE bool are_probabilities() const { return !negative && std::fabs(sum - 1) < 0.01; }
};

PENSTOCK_PORTABLE double exp_above(float value, float most) { return std::exp(static_cast<double>(sum(value, -most))); }

/// `exps` is the sum of `exp_above` of all values, 0 where they are probabilities.
PENSTOCK_PORTABLE float probability_of(float value, float most, double exps) {
  return exps == 0 ? value : static_cast<float>(exp_above(value, most) / exps);
}

struct class_memory {
  sort_memory sorted;
  value_totals totals[item_lanes];
  std::uint32_t enough; ///< values of the chunk that reach the least score
};

/// Sum of all lanes' totals, in `totals[0]`.
template <class Block>
PENSTOCK_PORTABLE void join_all(Block& block, value_totals* totals) {
  for (auto apart = Block::lanes / 2; apart > 0; apart /= 2) {
    block.each([&](unsigned lane) {
      if (lane < apart) totals[lane].join(totals[lane + apart]);
    });
  }
}

/// The best classes of one item, best first; returns how many. `keys` has room for all classes.
template <class Block, class T>
PENSTOCK_PORTABLE unsigned decode_values(Block& block, class_memory& s, const class_spec& spec, const T* values,
                                         std::uint64_t* keys, const geometry& g, device_object* objects) {
  const auto count = static_cast<unsigned>(spec.classes);
  block.each([&](unsigned lane) {
    value_totals totals;
    for (auto c = lane; c < count; c += Block::lanes) {
      const auto value = to_float(values[c]);
      totals.see(value);
      keys[c] = key_of(value, c);
    }
    s.totals[lane] = totals;
  });
  join_all(block, s.totals);
  const auto most = s.totals[0].most;
  double exps = 0;
  if (!s.totals[0].are_probabilities()) {
    block.each([](unsigned) {}); // all have read the totals
    block.each([&](unsigned lane) {
      value_totals totals;
      for (auto c = lane; c < count; c += Block::lanes) totals.sum += exp_above(to_float(values[c]), most);
      s.totals[lane] = totals;
    });
    join_all(block, s.totals);
    exps = s.totals[0].sum;
    if (!(exps > 0)) return 0; // there is something that is not a number
  }
  key_range left{0, ~std::uint64_t{0}};
  const auto wanted = spec.top_k < count ? static_cast<unsigned>(spec.top_k) : count;
  unsigned size = 0;
  for (unsigned taken = 0; taken < wanted;) {
    const auto n = next_chunk(block, s.sorted, keys, count, count - taken, left);
    const auto end = n < wanted - taken ? n : wanted - taken;
    block.each([&](unsigned lane) {
      if (lane == 0) s.enough = 0;
    });
    // scores fall, so those that reach the least are the first
    block.each([&](unsigned lane) {
      for (auto i = lane; i < end; i += Block::lanes) {
        const auto key = s.sorted.keys[i];
        const auto score = probability_of(score_of(key), most, exps);
        if (!(score >= spec.score)) return;
        block.add(s.enough, 1);
        objects[taken + i] = {0,
                              0,
                              static_cast<float>(g.source_width_px),
                              static_cast<float>(g.source_height_px),
                              score,
                              static_cast<std::int32_t>(index_of(key))};
      }
    });
    size += s.enough;
    if (size - taken < end) break;
    taken += n;
  }
  return size;
}

} // namespace penstock::kernels::decoding
