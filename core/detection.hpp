#pragma once

#include <cstdint>

namespace penstock::core {

/// An axis-aligned box in source pixels: left, top, width, height.
struct box {
  float x = 0;
  float y = 0;
  float w = 0;
  float h = 0;

  bool operator==(const box&) const = default;
};

/// No track: tracking is off, or the object is not confirmed yet.
inline constexpr std::int64_t no_track = -1;

/// One object in one frame. A classification is a detection whose box is the whole frame.
struct detection {
  std::int32_t class_index = 0; ///< the model's class, an index into the labels
  float score = 0;              ///< 0 to 1
  core::box box;
  std::int64_t track = no_track; ///< unique within a stream

  bool operator==(const detection&) const = default;
};

} // namespace penstock::core
