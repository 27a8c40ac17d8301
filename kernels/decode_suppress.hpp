#pragma once

#include <cstdint>

#include "kernels/decode_objects.hpp"
#include "kernels/decode_sort.hpp"

/// From the candidates of one item to its objects, by a block of threads (`Block`: see decode_sort.hpp): the same
/// objects in the same order as `kernels::nms` and clipping give, however many candidates there are.
namespace penstock::kernels::decoding {

inline constexpr unsigned item_lanes = 512;      ///< threads of a block, and candidates looked at together
inline constexpr unsigned front_candidates = 64; ///< of those, the best that are compared with each other at a time

/// An object that stays, as long as it is compared with others.
struct alignas(16) kept_object {
  corners box;
  float score;
  std::int32_t class_index;
  std::uint32_t unused;
};

/// An anchor's candidates: `classes` by anchor, `keys` in any order.
struct candidate_list {
  std::uint64_t* keys = nullptr;
  std::int32_t* classes = nullptr;
  std::uint32_t* count = nullptr;
};

struct item_memory {
  sort_memory sorted;
  corners boxes[item_lanes];
  std::int32_t classes[item_lanes];
  std::uint32_t alive[item_lanes / 32];
  std::uint16_t members[front_candidates];             ///< lanes of the front's candidates, best first
  alignas(8) std::uint8_t covers[front_candidates][8]; ///< bit j of row i: i would suppress j, which is after it
  std::uint64_t survivors;
};

PENSTOCK_PORTABLE unsigned ones(std::uint32_t word) {
#if defined(__CUDA_ARCH__)
  return static_cast<unsigned>(__popc(word));
#else
  return static_cast<unsigned>(__builtin_popcount(word));
#endif
}

PENSTOCK_PORTABLE unsigned ones(std::uint64_t word) {
  return ones(static_cast<std::uint32_t>(word)) + ones(static_cast<std::uint32_t>(word >> 32U));
}

PENSTOCK_PORTABLE unsigned lowest_one(std::uint64_t word) {
#if defined(__CUDA_ARCH__)
  return static_cast<unsigned>(__ffsll(static_cast<long long>(word)) - 1);
#else
  return static_cast<unsigned>(__builtin_ctzll(word));
#endif
}

PENSTOCK_PORTABLE bool has(const std::uint32_t* words, unsigned lane) {
  return ((words[lane / 32] >> (lane % 32)) & 1U) != 0;
}

/// How many lanes before this one are in.
PENSTOCK_PORTABLE unsigned rank_of(const std::uint32_t* words, unsigned lane) {
  unsigned n = ones(words[lane / 32] & ((1U << (lane % 32)) - 1));
  for (unsigned w = 0; w < lane / 32; ++w) n += ones(words[w]);
  return n;
}

template <class Block>
PENSTOCK_PORTABLE unsigned total_of(const std::uint32_t* words) {
  unsigned n = 0;
  for (unsigned w = 0; w < Block::lanes / 32; ++w) n += ones(words[w]);
  return n;
}

/// Whether any of the kept objects from `first` to `end` suppresses this box.
PENSTOCK_PORTABLE bool is_covered(const object_spec& spec, const kept_object* kept, unsigned first, unsigned end,
                                  const corners& box, std::int32_t class_index) {
  for (auto k = first; k < end; ++k) {
    if ((spec.class_agnostic || kept[k].class_index == class_index) && overlap(kept[k].box, box) > spec.iou)
      return true;
  }
  return false;
}

/// Eight bits of a front's row: which of the candidates from `column` on candidate `row` would suppress.
PENSTOCK_PORTABLE std::uint8_t covered_by(const object_spec& spec, const item_memory& s, unsigned members, unsigned row,
                                          unsigned column) {
  const auto a = s.members[row];
  unsigned bits = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const auto other = column + i;
    if (other <= row || other >= members) continue;
    const auto b = s.members[other];
    if ((spec.class_agnostic || s.classes[a] == s.classes[b]) && overlap(s.boxes[a], s.boxes[b]) > spec.iou)
      bits |= 1U << i;
  }
  return static_cast<std::uint8_t>(bits);
}

/// The greedy rule among a front: bits of those that stay, at most `room` of them.
PENSTOCK_PORTABLE std::uint64_t survivors_of(const std::uint8_t (*covers)[8], unsigned members, unsigned room) {
  auto open = members < 64 ? (std::uint64_t{1} << members) - 1 : ~std::uint64_t{0};
  std::uint64_t stay = 0;
  for (; open != 0 && room > 0; --room) {
    const auto best = lowest_one(open);
    std::uint64_t covered = 0;
    std::memcpy(&covered, covers[best], sizeof(covered));
    stay |= std::uint64_t{1} << best;
    open &= ~(covered | (std::uint64_t{1} << best));
  }
  return stay;
}

PENSTOCK_PORTABLE device_object object_of(const corners& box, float score, std::int32_t class_index,
                                          const geometry& g) {
  const auto b = clipped(box, g);
  return {b.x, b.y, b.w, b.h, score, class_index};
}

PENSTOCK_PORTABLE bool is_inside(const corners& box, const geometry& g) {
  const auto b = clipped(box, g);
  return b.w > 0 && b.h > 0;
}

/// Greedy suppression of `n` sorted candidates from `first` on. `kept` already has `size` objects; returns how many it
/// has then, at most `most`.
template <class Block, class Boxes>
PENSTOCK_PORTABLE unsigned suppress_group(Block& block, item_memory& s, const object_spec& spec,
                                          const candidate_list& list, const Boxes& box_of, unsigned first, unsigned n,
                                          kept_object* kept, unsigned size, unsigned most) {
  block.ballots(
      [&](unsigned lane) {
        if (lane >= n) return false;
        const auto index = index_of(s.sorted.keys[first + lane]);
        s.boxes[lane] = corners_of(box_of(index));
        s.classes[lane] = list.classes[index];
        return !is_covered(spec, kept, 0, size, s.boxes[lane], s.classes[lane]);
      },
      s.alive);
  for (;;) {
    const auto alive = total_of<Block>(s.alive);
    const auto members = alive < front_candidates ? alive : front_candidates;
    block.each([&](unsigned lane) {
      if (!has(s.alive, lane)) return;
      const auto rank = rank_of(s.alive, lane);
      if (rank < front_candidates) s.members[rank] = static_cast<std::uint16_t>(lane);
    });
    if (members == 0) return size;
    block.each([&](unsigned lane) {
      for (auto i = lane; i < members * 8; i += Block::lanes)
        s.covers[i / 8][i % 8] = covered_by(spec, s, members, i / 8, i % 8 * 8);
    });
    block.each([&](unsigned lane) {
      if (lane == 0) s.survivors = survivors_of(s.covers, members, most - size);
    });
    const auto stay = s.survivors;
    const unsigned last = s.members[members - 1];
    const auto grown = size + ones(stay);
    block.each([&](unsigned lane) {
      if (lane >= front_candidates || ((stay >> lane) & 1U) == 0) return;
      const auto from = s.members[lane];
      kept[size + ones(stay & ((std::uint64_t{1} << lane) - 1))] = {
          s.boxes[from], score_of(s.sorted.keys[first + from]), s.classes[from], 0};
    });
    if (grown == most) return grown;
    block.ballots(
        [&](unsigned lane) {
          return lane > last && has(s.alive, lane) &&
                 !is_covered(spec, kept, size, grown, s.boxes[lane], s.classes[lane]);
        },
        s.alive);
    size = grown;
  }
}

/// Writes those of `n` candidates or kept objects that `corners_at(lane)` puts inside the frame; `object_at` is the
/// rest of them. Returns how many there are then.
template <class Block, class Corners, class Object>
PENSTOCK_PORTABLE unsigned write_inside(Block& block, item_memory& s, const geometry& g, unsigned n, unsigned size,
                                        unsigned most, device_object* objects, const Corners& corners_at,
                                        const Object& object_at) {
  block.ballots(
      [&](unsigned lane) {
        if (lane >= n) return false;
        s.boxes[lane] = corners_at(lane);
        return is_inside(s.boxes[lane], g);
      },
      s.alive);
  const auto grown = size + total_of<Block>(s.alive);
  block.each([&](unsigned lane) {
    if (!has(s.alive, lane)) return;
    const auto at = size + rank_of(s.alive, lane);
    if (at < most) objects[at] = object_at(lane);
  });
  return grown < most ? grown : most;
}

/// Objects of one item, best first, from all its candidates; returns how many. `box_of(anchor)` is a box in source
/// pixels, `kept` has room for `max_objects` (unused without suppression).
template <class Block, class Boxes>
PENSTOCK_PORTABLE unsigned decode_candidates(Block& block, item_memory& s, const object_spec& spec,
                                             const candidate_list& list, unsigned count, const geometry& g,
                                             const Boxes& box_of, kept_object* kept, device_object* objects) {
  static_assert(Block::lanes == item_lanes);
  const auto limit = spec.suppress && spec.max_candidates < count ? static_cast<unsigned>(spec.max_candidates) : count;
  const auto most = spec.max_objects < count ? static_cast<unsigned>(spec.max_objects) : count;
  key_range left{0, ~std::uint64_t{0}};
  unsigned size = 0;
  for (unsigned taken = 0; taken < limit && size < most;) {
    const auto n = next_chunk(block, s.sorted, list.keys, count, count - taken, left);
    const auto end = n < limit - taken ? n : limit - taken;
    for (unsigned first = 0; first < end && size < most; first += Block::lanes) {
      const auto group = end - first < Block::lanes ? end - first : Block::lanes;
      if (spec.suppress) {
        size = suppress_group(block, s, spec, list, box_of, first, group, kept, size, most);
        continue;
      }
      const auto key = [&](unsigned lane) { return s.sorted.keys[first + lane]; };
      size = write_inside(
          block, s, g, group, size, most, objects,
          [&](unsigned lane) { return corners_of(box_of(index_of(key(lane)))); },
          [&](unsigned lane) {
            return object_of(s.boxes[lane], score_of(key(lane)), list.classes[index_of(key(lane))], g);
          });
    }
    taken += n;
  }
  if (!spec.suppress) return size;
  unsigned written = 0;
  for (unsigned first = 0; first < size; first += Block::lanes) {
    const auto group = size - first < Block::lanes ? size - first : Block::lanes;
    written = write_inside(
        block, s, g, group, written, most, objects, [&](unsigned lane) { return kept[first + lane].box; },
        [&](unsigned lane) {
          const auto& object = kept[first + lane];
          return object_of(object.box, object.score, object.class_index, g);
        });
  }
  return written;
}

} // namespace penstock::kernels::decoding
