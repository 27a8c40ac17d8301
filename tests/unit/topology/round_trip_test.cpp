#include <random>

#include "sandbox.hpp"
#include "tests/catch.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;

namespace {

constexpr std::string_view rich = R"(pipeline: rich
streams:
  - {id: door, uri: "rtsp://me:p%24${FPS}@10.0.0.8/main?a=$${b}", reconnect: {min: 1ms, max: 90min}}
  - {id: odd, uri: "/data/it's \"odd\": #1 {x}/*.mp4", sample_fps: 0.1}
stages:
  decode: {concurrency: 3, sample_fps: 29.97}
  preprocess: {mean: [123.675, 116.28, 103.53], scale: [1/58.395, 1/57.12, 0.0174], size: [640, 384]}
  inference: {model: "/models/tab\tand ünïcode.onnx", batch: {wait: 1500us}, instances: auto}
  postprocess: {head: classify, labels: ""}
sinks:
  - {kind: jsonl, path: "/out/{stream}.jsonl"}
  - {kind: mp4, path: "/out/null/{stream}.mp4", fps: 1/3}
dispatch: {retain: 1234567, read_ahead: {bytes: 3000000}}
nodes:
  all: {stages: [source, decode, preprocess, inference, postprocess, collector], http: "localhost:8080",
        listen: "tcp://127.0.0.1:7400"}
  worker: {stages: [decode, preprocess, inference, postprocess], dial: "tcp://h:7400", scale: {min: 2, max: 30},
           scheduled_events: true}
jobs: {queue: {kind: nats, url: "nats://h:4222"}, blobs: {kind: local, path: /blobs}, concurrent: 3,
       max_attempts: 2, spool: /spool, spool_bytes: 2GiB}
scaling: {enabled: true, role: worker, fleet: exec, exec: {command: [fleet, "--of={name}"]}, source: prometheus,
          heads: ["http://h:1", "https://h:2"], policies: [rate, threshold, schedule], objective: 1500ms,
          threshold: {out: [{metric: backlog, operator: at_least, threshold: 30, duration: 2min, cooldown: 90s, step: 3}],
                      in: []},
          schedule: {utc_offset: "-03:30", entries: [{days: [mon, sun], from: "08:30", to: "24:00", workers: 4}]}}
http:
  tokens:
    - {name: ann, sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad}
    - {name: bob, sha256: 0000000000000000000000000000000000000000000000000000000000000000, scopes: [admin, jobs]}
  tls: {certificate: /door/cert.pem, key: /door/key.pem, check_every: 1min}
  cors: ["*", "https://example.org:8443"]
  rate: {per_address: {per_s: 1/60, burst: 3.5}}
  limits: {header: 8KiB, upload: 3GB, pixels: 24Mpx}
  open: {health: false}
)";

} // namespace

TEST_CASE("what --resolved prints is the same configuration again", "[topology]") {
  for (const auto text : {minimal, rich}) {
    const auto first = load_text(text, "/base/t.yaml", options());
    INFO((first ? "" : to_string(first.error().front())));
    REQUIRE(first);
    const auto printed = to_yaml(first->config);
    CAPTURE(printed);
    const auto second = load_text(printed, "/elsewhere/t.yaml", options());
    INFO((second ? "" : to_string(second.error().front())));
    REQUIRE(second);
    CHECK(second->config == first->config);
    CHECK(to_yaml(second->config) == printed);
  }
}

TEST_CASE("no mutation of a file crashes, and what is accepted can be printed and read again", "[topology]") {
  constexpr std::string_view pieces[] = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         ":",
                                         " ",
                                         "\n",
                                         "- ",
                                         "&a ",
                                         "*a",
                                         "<<: *a",
                                         "\"",
                                         "'",
                                         "#",
                                         "|",
                                         ">",
                                         "%",
                                         "!",
                                         "${",
                                         "}",
                                         "auto",
                                         "-1",
                                         "1e400",
                                         "\t",
                                         "\xff",
                                         "\xef\xbb\xbf",
                                         "---\n",
                                         "...\n",
                                         "? ",
                                         ", ",
                                         "~",
                                         "null",
                                         "99999999999999999999",
                                         "@",
                                         "`"};
  std::mt19937 random{20240607};
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>{0, n - 1}(random); };
  std::size_t accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text{round % 4 == 0 ? minimal : rich};
    for (auto edits = 1 + below(4); edits > 0 && !text.empty(); --edits) {
      const auto at = below(text.size());
      switch (below(5)) {
      case 0: text.erase(at, 1 + below(8)); break;
      case 1: text.insert(at, pieces[below(std::size(pieces))]); break;
      case 2: text[at] = static_cast<char>(below(256)); break;
      case 3: text.insert(at, text.substr(below(text.size()), below(40))); break;
      default: text.resize(text.size() - below(text.size()) / 8); break;
      }
    }
    const auto result = load_text(text, "/base/t.yaml", options());
    if (!result) {
      CAPTURE(text);
      REQUIRE(!result.error().empty());
      for (const auto& p : result.error()) REQUIRE((p.line >= 1 && p.column >= 1 && !p.message.empty()));
      continue;
    }
    ++accepted;
    const auto again = load_text(to_yaml(result->config), "/base/t.yaml", options());
    CAPTURE(text, to_yaml(result->config), lines(again ? again->notes : again.error()));
    REQUIRE(again);
    REQUIRE(again->config == result->config);
  }
  CHECK(accepted > 100);
}
