#include "topology/cut.hpp"

#include <algorithm>

namespace penstock::topology {

part part_of(const node_config& role) noexcept {
  unsigned work = 0;
  for (const auto s : role.stages) {
    switch (s) {
    case stage::source:
    case stage::collector: break;
    case stage::decode: work |= 8U; break;
    case stage::preprocess: work |= 4U; break;
    case stage::inference: work |= 2U; break;
    case stage::postprocess: work |= 1U; break;
    }
  }
  switch (work) {
  case 0b0000: return part::none;
  case 0b1111: return part::whole;
  case 0b1000: return part::to_frames;
  case 0b1100: return part::to_tensors;
  case 0b0111: return part::from_frames;
  case 0b0011: return part::from_tensors;
  default: return part::other;
  }
}

part counterpart(part p) noexcept {
  switch (p) {
  case part::to_frames: return part::from_frames;
  case part::to_tensors: return part::from_tensors;
  case part::from_frames: return part::to_frames;
  case part::from_tensors: return part::to_tensors;
  case part::none:
  case part::whole:
  case part::other: break;
  }
  return part::none;
}

bool decodes(part p) noexcept { return p == part::whole || p == part::to_frames || p == part::to_tensors; }

bool takes_items(part p) noexcept { return p == part::from_frames || p == part::from_tensors; }

std::string_view stages_of(part p) noexcept {
  switch (p) {
  case part::whole: return "decode, preprocess, inference, postprocess";
  case part::to_frames: return "decode";
  case part::to_tensors: return "decode, preprocess";
  case part::from_frames: return "preprocess, inference, postprocess";
  case part::from_tensors: return "inference, postprocess";
  case part::none:
  case part::other: break;
  }
  return "";
}

} // namespace penstock::topology
