#include "actors/stages_digest.hpp"

#include <span>

#include "inference/digest.hpp"
#include "topology/load.hpp"

namespace penstock::actors {

core::expected<std::string> stages_digest(const topology::config& topology) {
  auto model = inference::sha256_of_file(topology.stages.inference.model);
  if (!model) return core::fail("stages.inference.model", model.error());
  topology::config same;
  same.media = topology.media;
  same.stages = topology.stages;
  same.stages.decode = {};
  same.stages.decode.effort = topology.stages.decode.effort;
  same.stages.inference = {};
  same.stages.inference.model = "/" + *model;
  same.stages.inference.precision = topology.stages.inference.precision;
  same.stages.postprocess.labels.clear(); // names are given by the head
  const auto text = topology::to_yaml(same);
  return inference::sha256(std::as_bytes(std::span{text}));
}

} // namespace penstock::actors
