#pragma once

#include <cstdint>
#include <string_view>

#include "topology/nodes_config.hpp"

namespace penstock::topology {

/// Which part of the work, from packets to objects, the machines of a role do. It may be cut in two: before preprocess,
/// where frames cross the link, or before inference, where tensors do.
enum class part : std::uint8_t {
  none,         ///< sources and results only
  whole,        ///< decode to postprocess
  to_frames,    ///< decode; sends frames
  to_tensors,   ///< decode, preprocess; sends tensors
  from_frames,  ///< preprocess to postprocess
  from_tensors, ///< inference, postprocess
  other,        ///< what no role can do alone
};

[[nodiscard]] part part_of(const node_config& role) noexcept;

/// The part that takes what this one sends, and the other way round; `none` where there is no such link.
[[nodiscard]] part counterpart(part p) noexcept;

/// Whether it begins with packets, so that it takes leases.
[[nodiscard]] bool decodes(part p) noexcept;

/// Whether it takes what another role sends.
[[nodiscard]] bool takes_items(part p) noexcept;

/// The stages of a part for messages, e.g. "inference, postprocess".
[[nodiscard]] std::string_view stages_of(part p) noexcept;

} // namespace penstock::topology
