#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/decode_suppress.hpp"

/// Where the device keeps what it needs between its kernels.
namespace penstock::kernels::decoding {

/// Offsets into the workspace, and its size.
struct workspace_plan {
  std::size_t keys = 0;    ///< uint64 [items][anchors]
  std::size_t kept = 0;    ///< kept_object [items][kept_room]
  std::size_t classes = 0; ///< int32 [items][anchors]
  std::size_t counts = 0;  ///< uint32 [items]
  std::size_t bytes = 0;
  std::size_t kept_room = 0; ///< objects an item
};

inline workspace_plan plan_workspace(const object_spec& spec, std::size_t items) noexcept {
  const auto aligned = [](std::size_t bytes) { return (bytes + 255) / 256 * 256; };
  workspace_plan plan;
  plan.kept_room = spec.suppress ? std::min(spec.max_objects, spec.anchors) : 0;
  plan.kept = aligned(items * spec.anchors * sizeof(std::uint64_t));
  plan.classes = plan.kept + aligned(items * plan.kept_room * sizeof(kept_object));
  plan.counts = plan.classes + aligned(items * spec.anchors * sizeof(std::int32_t));
  plan.bytes = plan.counts + aligned(items * sizeof(std::uint32_t));
  return plan;
}

} // namespace penstock::kernels::decoding
