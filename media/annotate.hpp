#pragma once

#include <span>
#include <string>

#include "core/detection.hpp"
#include "core/error.hpp"
#include "core/frame.hpp"

namespace penstock::media {

struct annotate_style {
  bool labels = true; ///< the plate with class, score and track above each box
  double scale = 0;   ///< of lines and text; 0: from the frame's size
};

/// A copy of `view` as I420 with a box and a plate (label, track, score) for each object; coloured by track where there
/// is one, otherwise by class. `labels` names the classes; a class beyond it is shown by its number.
[[nodiscard]] core::expected<core::frame_ptr> annotate(const core::frame_view& view,
                                                       std::span<const core::detection> objects,
                                                       std::span<const std::string> labels,
                                                       const annotate_style& style = {});

} // namespace penstock::media
