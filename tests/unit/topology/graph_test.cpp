#include "topology/graph.hpp"

#include "sandbox.hpp"
#include "tests/catch.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;

namespace {

graph graph_of(std::string_view more, std::vector<std::string> overrides = {}) {
  auto o = options();
  o.overrides = std::move(overrides);
  const auto result = load_text(std::string{minimal} + std::string{more}, "t.yaml", o);
  REQUIRE(result);
  return make_graph(result->config);
}

constexpr std::string_view roles = R"(nodes:
  head: {stages: [source, collector], listen: "tcp://0.0.0.0:7400"}
  worker: {stages: [decode, preprocess, inference, postprocess], dial: "tcp://head:7400"}
)";

} // namespace

TEST_CASE("a drawing shows streams, stages and sinks in the order of the flow", "[topology]") {
  CHECK(render(graph_of("", {"streams.1={id: door, uri: 'rtsp://me:secret@h/'}", "sinks.0.path=/out/{stream}.jsonl"}),
               graph_format::text) == R"(penstock

  a            lossless · clip.mp4
  door         live · rtsp://me:***@h/
  │ packets
  source       cut at keyframes
  │ segments
  decode       every frame · exact · device auto · concurrency auto
  │ frames
  preprocess   letterbox · bilinear · rgb · value * 1/255 · size auto
  │ tensors
  inference    m.onnx · engine auto · device auto · batch up to 8 or 4ms · instances auto
  │ outputs
  postprocess  yolov8 · score 0.25 · iou 0.45
  │ results
  collector    in order, once · tracking none
  │ results
  jsonl        /out/{stream}.jsonl
)");
}

TEST_CASE("a drawing shows which role runs what and where the network is", "[topology]") {
  const auto g = graph_of(roles);
  const auto text = render(g, graph_format::text);
  CHECK(text.find("  head    source       cut at keyframes\n          ║ segments\n  worker  decode ") !=
        std::string::npos);
  CHECK(text.find("          ║ results\n  head    collector ") != std::string::npos);
  CHECK(std::count_if(g.edges.begin(), g.edges.end(), [](const graph_edge& e) { return e.remote; }) == 2);
}

TEST_CASE("Graphviz and Mermaid get every node and edge, with quotes escaped", "[topology]") {
  const auto g = graph_of(roles, {R"(streams.0.uri=a"<b>\.mp4)"});
  const auto dot = render(g, graph_format::dot);
  const auto mermaid = render(g, graph_format::mermaid);
  CHECK(dot.find(R"(stream_0 [label="a\nlossless\na\"<b>\\.mp4"];)") != std::string::npos);
  CHECK(mermaid.find(R"(stream_0["<b>a</b><br/>lossless<br/>a#quot;#lt;b#gt;\.mp4"])") != std::string::npos);
  for (const auto& n : g.nodes) {
    CHECK(dot.find("  " + n.id + " [label=") != std::string::npos);
    CHECK(mermaid.find("  " + n.id + "[\"") != std::string::npos);
  }
  for (const auto& e : g.edges) {
    CHECK(dot.find(g.nodes[e.from].id + " -> " + g.nodes[e.to].id) != std::string::npos);
    CHECK(mermaid.find(g.nodes[e.from].id + (e.remote ? " ==>|" : " -->|") + e.label + "| " + g.nodes[e.to].id) !=
          std::string::npos);
  }
}
