#pragma once

#include "actors/node.hpp"
#include "front/errands.hpp"
#include "gateway/api.hpp"

namespace penstock::front {

/// POST /v1/detect, answered by the pipeline. `node` and `helpers` outlive it.
class detect_door final : public gateway::detect_api {
 public:
  detect_door(actors::node& node, errands& helpers) : node_{node}, helpers_{helpers} {}

  void detect(gateway::detect_request request, std::stop_token gone,
              gateway::completion<gateway::detect_reply> done) override;

 private:
  actors::node& node_;
  errands& helpers_;
};

} // namespace penstock::front
