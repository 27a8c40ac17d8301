#pragma once

#include "actors/node.hpp"
#include "front/errands.hpp"
#include "gateway/api.hpp"
#include "topology/config.hpp"

namespace penstock::front {

/// /v1/streams: those of the topology, and those that join while the program runs. All that is given outlives it.
class streams_door final : public gateway::streams_api {
 public:
  streams_door(actors::node& node, const topology::config& topology, errands& helpers)
      : node_{node}, topology_{topology}, helpers_{helpers} {}

  void list(std::stop_token gone, gateway::completion<std::vector<gateway::stream_view>> done) override;
  void add(gateway::stream_request request, gateway::completion<gateway::stream_added> done) override;
  void remove(const std::string& id, gateway::completion<gateway::change> done) override;
  void snapshot(const std::string& id, std::stop_token gone, gateway::completion<std::string> done) override;
  void preview(const std::string& id, std::stop_token gone,
               gateway::completion<std::shared_ptr<gateway::byte_source>> done) override;

 private:
  [[nodiscard]] core::expected<topology::stream_source> source_of(const gateway::stream_request& request) const;

  actors::node& node_;
  const topology::config& topology_;
  errands& helpers_;
};

} // namespace penstock::front
