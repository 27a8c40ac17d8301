#pragma once

#include <cstdint>

#include "kernels/decode_arithmetic.hpp"

/// What a block of threads does with candidates is written once, for the device and for tests on the CPU. A block type
/// `Block` has
///
///   lanes            how many threads it has, a multiple of 32;
///   each(f)          f(lane) for every lane in any order; afterwards all see what any wrote;
///   ballots(f, w)    bit lane % 32 of w[lane / 32] becomes f(lane); f may read the words as they were;
///   add(n, x)        inside f: adds atomically and returns what was there;
///   append(n)        inside f: add(n, 1), cheap where many lanes do it at once;
///   lower(m, x)      inside f, by every lane: m becomes the least of m and all x; `raise`: the greatest.
///
/// All between two phases is done by every thread alike. What it reads there from shared memory must not change in the
/// phase that follows.
namespace penstock::kernels::decoding {

inline constexpr unsigned chunk_keys = 1024; ///< sorted at a time
inline constexpr unsigned bins = 1024;

struct sort_memory {
  std::uint64_t keys[chunk_keys];
  std::uint64_t least;
  std::uint64_t greatest;
  std::uint32_t histogram[bins + bins / 32]; ///< one unused after every 32, against bank conflicts
  std::uint32_t sums[bins / 32];
  std::uint32_t end;    ///< first bin that does not fit into the chunk any more
  std::uint32_t inside; ///< keys in the bins before it
  std::uint32_t gathered;
};

/// Both ends included.
struct key_range {
  std::uint64_t low;
  std::uint64_t high;
};

PENSTOCK_PORTABLE std::uint32_t slot_of(std::uint64_t bin) { return static_cast<std::uint32_t>(bin + (bin >> 5U)); }

/// How far keys of a range are shifted to become bins.
PENSTOCK_PORTABLE unsigned shift_of(const key_range& range) {
  unsigned shift = 0;
  while (((range.high - range.low) >> shift) >= bins) ++shift;
  return shift;
}

/// The bins from the first on that hold at most `chunk_keys` keys together: `end` and `inside`.
PENSTOCK_PORTABLE void find_end(sort_memory& s) {
  std::uint32_t bin = 0;
  std::uint32_t total = 0;
  while (bin < bins && total + s.sums[bin / 32] <= chunk_keys) {
    total += s.sums[bin / 32];
    bin += 32;
  }
  while (bin < bins && total + s.histogram[slot_of(bin)] <= chunk_keys) {
    total += s.histogram[slot_of(bin)];
    ++bin;
  }
  s.end = bin;
  s.inside = total;
}

/// The range of all keys.
template <class Block>
PENSTOCK_PORTABLE key_range range_of(Block& block, sort_memory& s, const std::uint64_t* keys, unsigned count) {
  block.each([&](unsigned lane) {
    if (lane != 0) return;
    s.least = ~std::uint64_t{0};
    s.greatest = 0;
  });
  block.each([&](unsigned lane) {
    auto least = ~std::uint64_t{0};
    std::uint64_t greatest = 0;
    for (auto i = lane; i < count; i += Block::lanes) {
      const auto key = keys[i];
      if (key < least) least = key;
      if (key > greatest) greatest = key;
    }
    block.lower(s.least, least);
    block.raise(s.greatest, greatest);
  });
  return {s.least, s.greatest};
}

/// Narrows a range that holds more than `chunk_keys` keys to its lower end, so that it holds at most so many and at
/// least one, by histograms of its leading bits. Keys are unique. Returns how many it holds.
template <class Block>
PENSTOCK_PORTABLE unsigned narrow(Block& block, sort_memory& s, const std::uint64_t* keys, unsigned count,
                                  key_range& range) {
  for (;;) {
    const auto shift = shift_of(range);
    block.each([&](unsigned lane) {
      for (auto i = lane; i < slot_of(bins); i += Block::lanes) s.histogram[i] = 0;
    });
    block.each([&](unsigned lane) {
      for (auto i = lane; i < count; i += Block::lanes) {
        const auto key = keys[i];
        if (key >= range.low && key <= range.high) block.add(s.histogram[slot_of((key - range.low) >> shift)], 1);
      }
    });
    block.each([&](unsigned lane) {
      if (lane >= bins / 32) return;
      std::uint32_t total = 0;
      for (unsigned i = 0; i < 32; ++i) total += s.histogram[slot_of(32 * lane + i)];
      s.sums[lane] = total;
    });
    block.each([&](unsigned lane) {
      if (lane == 0) find_end(s);
    });
    const std::uint64_t end = s.end;
    if (const auto inside = s.inside; inside > 0) {
      if (end < bins) {
        const auto high = range.low + (end << shift) - 1;
        if (high < range.high) range.high = high;
      }
      return inside;
    }
    // all before that bin are empty, and it alone is too much
    range.low += end << shift;
    const auto high = range.low + ((std::uint64_t{1} << shift) - 1);
    if (high < range.high) range.high = high;
  }
}

/// Sorts `n` keys in place: the bitonic network.
template <class Block>
PENSTOCK_PORTABLE void sort(Block& block, sort_memory& s, unsigned n) {
  unsigned size = 2;
  while (size < n) size *= 2;
  block.each([&](unsigned lane) {
    for (auto i = n + lane; i < size; i += Block::lanes) s.keys[i] = ~std::uint64_t{0};
  });
  for (unsigned run = 2; run <= size; run *= 2) {
    for (auto apart = run / 2; apart > 0; apart /= 2) {
      block.each([&](unsigned lane) {
        for (auto i = lane; i < size / 2; i += Block::lanes) {
          const auto a = ((i & ~(apart - 1)) << 1U) | (i & (apart - 1));
          const auto b = a | apart;
          const bool rising = (a & run) == 0;
          const auto first = s.keys[a];
          const auto second = s.keys[b];
          if ((first > second) != rising) continue;
          s.keys[a] = second;
          s.keys[b] = first;
        }
      });
    }
  }
}

/// Sorted in `s.keys`: the next keys of `left`, at most `chunk_keys`, without those that were given before: `left`
/// moves on past them. `remaining` is how many keys it holds, at least one. Returns how many were given.
template <class Block>
PENSTOCK_PORTABLE unsigned next_chunk(Block& block, sort_memory& s, const std::uint64_t* keys, unsigned count,
                                      unsigned remaining, key_range& left) {
  auto now = left;
  auto n = remaining;
  if (remaining > chunk_keys) {
    if (remaining == count) now = range_of(block, s, keys, count);
    const auto all = now;
    n = narrow(block, s, keys, count, now);
    left.high = all.high;
  }
  block.each([&](unsigned lane) {
    if (lane == 0) s.gathered = 0;
  });
  block.each([&](unsigned lane) {
    for (auto i = lane; i < count; i += Block::lanes) {
      const auto key = keys[i];
      if (key >= now.low && key <= now.high) s.keys[block.append(s.gathered)] = key;
    }
  });
  sort(block, s, n);
  left.low = now.high + 1;
  return n;
}

} // namespace penstock::kernels::decoding
