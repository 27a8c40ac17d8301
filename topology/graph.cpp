#include "topology/graph.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "topology/expand.hpp"
#include "topology/schema_table.hpp"

namespace penstock::topology {
namespace {

/// The values of a configuration as the topology file writes them.
class written_config {
 public:
  explicit written_config(const config& c) : root_{config_shape().write(c, path_style::as_is)} {}

  /// "decode.effort" of `stages` → "exact".
  [[nodiscard]] std::string operator()(std::string_view path) const {
    const auto* n = &root_;
    while (n->type == node::kind::map) {
      const auto dot = path.find('.');
      const auto* e = n->find(path.substr(0, dot));
      if (e == nullptr) return {};
      n = &e->value;
      path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
    }
    return n->type == node::kind::scalar ? n->text : print_inline(*n);
  }

 private:
  node root_;
};

/// The roles that run a stage, "head" or "edge, worker".
std::string roles_of(const config& c, stage s) {
  std::string out;
  for (const auto& n : c.nodes) {
    if (std::find(n.stages.begin(), n.stages.end(), s) != n.stages.end()) out += (out.empty() ? "" : ", ") + n.role;
  }
  return out;
}

class builder {
 public:
  explicit builder(const config& c) : config_{c}, value_{c} { graph_.name = c.pipeline; }

  graph build() && {
    add_streams();
    add_stages();
    add_sinks();
    for (auto& e : graph_.edges) {
      const auto& from = graph_.nodes[e.from];
      const auto& to = graph_.nodes[e.to];
      e.remote = from.role != to.role;
    }
    return std::move(graph_);
  }

 private:
  std::size_t add(graph_node n) {
    graph_.nodes.push_back(std::move(n));
    return graph_.nodes.size() - 1;
  }

  /// Adds a stage behind the last one.
  void chain(const std::string& title, stage s, std::vector<std::string> details, std::string carries) {
    const auto before = graph_.nodes.size() - 1;
    const auto rank = graph_.nodes.back().rank + 1;
    const auto now = add({title, title, std::move(details), roles_of(config_, s), rank});
    graph_.edges.push_back({before, now, std::move(carries), false});
  }

  void add_streams() {
    const auto role = roles_of(config_, stage::source);
    for (std::size_t i = 0; i < config_.streams.size(); ++i) {
      const auto& s = config_.streams[i];
      const auto live = s.policy.value_or(default_policy(s.uri)) == stream_policy::live;
      add({fmt::format("stream_{}", i), s.id, {live ? "live" : "lossless", display_uri(s.uri)}, role, 0});
    }
    const auto streams = graph_.nodes.size();
    const auto source = add({"source", "source", {"cut at keyframes"}, role, 1});
    for (std::size_t i = 0; i < streams; ++i) graph_.edges.push_back({i, source, "packets", false});
  }

  void add_stages() {
    const auto& stages = config_.stages;
    const auto& v = value_;
    const auto rate = stages.decode.sample_fps;
    chain("decode", stage::decode,
          {rate > 0 ? fmt::format("{} frames/s", rate) : "every frame", v("stages.decode.effort"),
           "device " + v("stages.decode.device"), "concurrency " + v("stages.decode.concurrency")},
          "segments");
    const auto mean = v("stages.preprocess.mean");
    chain("preprocess", stage::preprocess,
          {v("stages.preprocess.fit"), v("stages.preprocess.filter"), v("stages.preprocess.color"),
           mean == "0" ? fmt::format("value * {}", v("stages.preprocess.scale"))
                       : fmt::format("(value - {}) * {}", mean, v("stages.preprocess.scale")),
           "size " + v("stages.preprocess.size")},
          "frames");
    chain("inference", stage::inference,
          {stages.inference.model.filename().string(), "engine " + v("stages.inference.engine"),
           "device " + v("stages.inference.device"),
           fmt::format("batch up to {} or {}", stages.inference.batch.max, v("stages.inference.batch.wait")),
           "instances " + v("stages.inference.instances")},
          "tensors");
    chain("postprocess", stage::postprocess,
          {stages.postprocess.head, "score " + v("stages.postprocess.score"), "iou " + v("stages.postprocess.iou")},
          "outputs");
    chain("collector", stage::collector, {"in order, once", "tracking " + config_.tracking.kind}, "results");
  }

  void add_sinks() {
    const auto collector = graph_.nodes.size() - 1;
    const auto rank = graph_.nodes.back().rank + 1;
    const auto role = graph_.nodes.back().role;
    for (std::size_t i = 0; i < config_.sinks.size(); ++i) {
      const auto& s = config_.sinks[i];
      const auto sink = add({fmt::format("sink_{}", i), s.kind, {s.path.string()}, role, rank});
      graph_.edges.push_back({collector, sink, "results", false});
    }
  }

  const config& config_;
  written_config value_;
  graph graph_;
};

} // namespace

graph make_graph(const config& c) { return builder{c}.build(); }

} // namespace penstock::topology
