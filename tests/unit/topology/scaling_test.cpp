#include <fmt/format.h>

#include "sandbox.hpp"
#include "tests/catch.hpp"
#include "topology/check_scaling.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;

namespace {

constexpr std::string_view fleet = R"(stages: {inference: {model: m.onnx}, postprocess: {head: yolov8}}
streams: [{id: a, uri: a.mp4}]
sinks: [{kind: jsonl, path: a.jsonl}]
nodes:
  head: {stages: [source, collector], listen: "tcp://127.0.0.1:7400", http: "127.0.0.1:8080"}
  worker: {stages: [decode, preprocess, inference, postprocess], dial: "tcp://127.0.0.1:7400", scale: {max: 9}}
)";

/// Of a topology with this section, on line 7.
std::vector<std::string> problems_of(const std::string& scaling) {
  return complaints(std::string{fleet} + "scaling: " + scaling + "\n");
}

config config_of(const std::string& scaling) {
  auto loaded = load_text(std::string{fleet} + "scaling: " + scaling + "\n", "/base/t.yaml", options());
  INFO((loaded ? "" : to_string(loaded.error().front())));
  REQUIRE(loaded);
  return loaded->config;
}

} // namespace

TEST_CASE("scaling works without a key, for the role that decodes", "[topology]") {
  CHECK(problems_of("{}").empty());
  const auto c = config_of("{}");
  REQUIRE(scaled_role(c) != nullptr);
  CHECK(scaled_role(c)->role == "worker");
  CHECK(c.scaling->process.folder == "/base/workers");
  CHECK(c.scaling->policies == std::vector<std::string>{"rate"});
}

TEST_CASE("times of day and offsets are read as people write them", "[topology]") {
  const auto c = config_of(R"({schedule: {utc_offset: "+05:45", entries: [{from: "08:05", to: "24:00"}]}})");
  const auto& schedule = c.scaling->schedule;
  CHECK(schedule.utc_offset == std::chrono::minutes{345});
  CHECK(schedule.entries.at(0).from == std::chrono::minutes{485});
  CHECK(schedule.entries.at(0).to == std::chrono::minutes{1440});
  CHECK(schedule.entries.at(0).days.size() == 7);
  for (const auto* wrong : {"8:05", "08:5", "08:60", "24:01", "0805", "-1:00", "ab:cd", "08:05:00"}) {
    CAPTURE(wrong);
    const auto found = problems_of(fmt::format(R"({{schedule: {{entries: [{{from: "{}"}}]}}}})", wrong));
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("scaling.schedule.entries.0.from: found '") != std::string::npos);
    CHECK(found[0].ends_with("allowed: a time of day such as 08:30, up to 24:00"));
  }
  for (const auto* wrong : {"05:45", "+5:45", "+15:00", "UTC"}) {
    CAPTURE(wrong);
    CHECK(problems_of(fmt::format(R"({{schedule: {{utc_offset: "{}"}}}})", wrong)).size() == 1);
  }
}

TEST_CASE("what does not fit together in scaling is said where it stands", "[topology]") {
  struct wrong {
    std::string text;
    std::string message;
  };
  for (const auto& [text, message] : {
           wrong{"{role: nobody}", "t.yaml:7:17: scaling.role: found 'nobody'; allowed: worker"},
           wrong{"{role: head}", "t.yaml:7:17: scaling.role: found 'head'; allowed: worker"},
           wrong{"{policies: []}", "t.yaml:7:21: scaling.policies: has no policy; allowed: at least one"},
           wrong{"{policies: [rate, rate]}", "t.yaml:7:28: scaling.policies.1: stands twice"},
           wrong{"{policies: [cpu]}",
                 "t.yaml:7:22: scaling.policies.0: found 'cpu'; allowed: rate, threshold, schedule"},
           wrong{"{policies: [schedule]}",
                 "t.yaml:7:10: scaling.schedule.entries: has no entry, and scaling.policies has "
                 "schedule; allowed: at least one"},
           wrong{"{policies: [threshold], threshold: {in: [], out: []}}",
                 "t.yaml:7:45: scaling.threshold: has no rule, and scaling.policies has threshold; allowed: at least "
                 "one"},
           wrong{"{fleet: vmss}", "t.yaml:7:10: scaling.vmss.resource_id: is missing; allowed: the id of a scale set"},
           wrong{"{fleet: exec}",
                 "t.yaml:7:10: scaling.exec.command: is missing; allowed: a program and its arguments"},
           wrong{"{heads: [\"h:8080\"]}", "t.yaml:7:19: scaling.heads.0: found 'h:8080'; allowed: http://HOST:PORT or "
                                          "https://HOST:PORT, without a slash at its end"},
           wrong{"{heads: [\"http://a\", \"http://b\"]}",
                 "t.yaml:7:10: scaling.source: found 'head', which asks one head, "
                 "for several; allowed: prometheus"},
           wrong{"{advise: {azure_monitor: {resource_id: /x}}}",
                 "t.yaml:7:35: scaling.advise.azure_monitor.endpoint: is missing; allowed: "
                 "https://REGION.monitoring.azure.com"},
       }) {
    CAPTURE(text);
    CHECK(problems_of(text) == std::vector<std::string>{message});
  }
}

TEST_CASE("a fleet of one is nothing to decide about", "[topology]") {
  auto o = options();
  o.overrides = {"nodes.worker.scale={max: 1}", "scaling={enabled: true}"};
  CHECK(
      complaints(fleet, o) ==
      std::vector<std::string>{"--set:2:9: scaling: note: nodes.worker.scale allows one worker, so there is nothing to "
                               "decide"});
}
