#pragma once

#include <string>

#include "actors/node.hpp"
#include "front/jobs/pipeline.hpp"

namespace penstock::front {

/// Has a node work on jobs: each attempt is a guest of its head. `node` outlives it.
class node_pipeline final : public pipeline {
 public:
  explicit node_pipeline(actors::node& node) : node_{node} {}

  void start(job_run run) override;
  void cancel(const std::string& stream_id) override;
  void expect(std::uint64_t jobs) override;

 private:
  actors::node& node_;
};

} // namespace penstock::front
