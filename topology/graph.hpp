#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "topology/config.hpp"

namespace penstock::topology {

/// One box of the drawn pipeline.
struct graph_node {
  std::string id{};                   ///< unique, letters, digits and _
  std::string title{};                ///< "decode"
  std::vector<std::string> details{}; ///< "device auto", …
  std::string role{};                 ///< of `nodes`; empty: the one process
  int rank = 0;                       ///< distance from the sources

  bool operator==(const graph_node&) const = default;
};

struct graph_edge {
  std::size_t from = 0; ///< index of graph::nodes
  std::size_t to = 0;
  std::string label{}; ///< what flows: packets, segments, frames, …
  bool remote = false; ///< crosses from one role to another

  bool operator==(const graph_edge&) const = default;
};

/// What a topology builds: streams, stages, sinks, and what flows between them.
struct graph {
  std::string name{};
  std::vector<graph_node> nodes{}; ///< in order of rank
  std::vector<graph_edge> edges{};

  bool operator==(const graph&) const = default;
};

[[nodiscard]] graph make_graph(const config& c);

enum class graph_format : std::uint8_t { text, dot, mermaid };

[[nodiscard]] std::string render(const graph& g, graph_format format);

} // namespace penstock::topology
