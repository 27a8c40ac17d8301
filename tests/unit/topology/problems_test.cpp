#include <sstream>

#include "sandbox.hpp"
#include "tests/catch.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;

using strings = std::vector<std::string>;

namespace {

/// A valid file with one override: its problems stand at `--set:1`.
strings with(const std::string& override_text) {
  auto o = options();
  o.overrides = {override_text};
  return complaints(minimal, o);
}

strings split(const std::string& text) {
  strings result;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) result.push_back(line);
  return result;
}

} // namespace

TEST_CASE("each wrong value is named with its place, what was found and what is allowed", "[topology]") {
  struct row {
    const char* set;
    const char* problems; ///< one a line
  };
  const auto r = GENERATE(values<row>({
      {"stages.preprocess.fit=leterbox",
       "--set:1:23: stages.preprocess.fit: found 'leterbox'; allowed: letterbox, stretch, crop; did you mean "
       "'letterbox'?"},
      {"stages.preprocess.fit=7", "--set:1:23: stages.preprocess.fit: found '7'; allowed: letterbox, stretch, crop"},
      {"stages.preprocess.fit=[crop]",
       "--set:1:23: stages.preprocess.fit: found a list; allowed: letterbox, stretch, crop"},
      {"stages.preprocess.fit=", "--set:1:23: stages.preprocess.fit: found ''; allowed: letterbox, stretch, crop"},
      {"stages.postprocess.head=yolo8",
       "--set:1:25: stages.postprocess.head: found 'yolo8'; allowed: yolov5, yolov7, yolov8, yolo11, rtdetr, ssd, "
       "fastestdet, classify; did you mean 'yolov8'?"},
      {"stages.inference.engine=caffe",
       "--set:1:25: stages.inference.engine: found 'caffe'; allowed: auto, onnxruntime, opencv, torch"},
      {"stages.inference.device=cuda",
       "--set:1:25: stages.inference.device: found 'cuda', which cannot be used: no CUDA driver is installed; allowed "
       "here: auto, cpu"},
      {"stages.decode.device=cuda",
       "--set:1:22: stages.decode.device: found 'cuda', which cannot be used: no CUDA driver is installed; allowed "
       "here: auto, cpu"},
      {"stages.inference.precision=half",
       "--set:1:28: stages.inference.precision: found 'half'; allowed: auto, fp32, fp16"},
      {"stages.inference.providers=[cuda, cpu, cuda]", "--set:1:40: stages.inference.providers.2: stands twice"},
      {"stages.inference.providers=[rocm]",
       "--set:1:29: stages.inference.providers.0: found 'rocm'; allowed: tensorrt, cuda, cpu"},
      {"stages.inference.providers=[tensorrt, cuda]",
       "--set:1:28: stages.inference.providers: note: without stages.inference.cache TensorRT compiles the model at "
       "each start"},
      {"stages.inference.batch.wait=4",
       "--set:1:29: stages.inference.batch.wait: found '4'; allowed: a time such as 4ms, 3s or 5min, from 0us"},
      {"stages.inference.batch.wait=-4ms",
       "--set:1:29: stages.inference.batch.wait: found '-4ms'; allowed: a time such as 4ms, 3s or 5min, from 0us"},
      {"stages.inference.batch.max=0",
       "--set:1:28: stages.inference.batch.max: found '0'; allowed: a whole number from 1 to 1024"},
      {"stages.inference.batch.max=2.5",
       "--set:1:28: stages.inference.batch.max: found '2.5'; allowed: a whole number from 1 to 1024"},
      {"stages.inference.instances=many",
       "--set:1:28: stages.inference.instances: found 'many'; allowed: auto, a whole number from 1 to 1024"},
      {"stages.inference.batch=8", "--set:1:24: stages.inference.batch: found '8'; allowed: a map with max, wait"},
      {"stages.postprocess.score=1.5",
       "--set:1:26: stages.postprocess.score: found '1.5'; allowed: a number from 0 to 1"},
      {"stages.postprocess.score=nan",
       "--set:1:26: stages.postprocess.score: found 'nan'; allowed: a number from 0 to 1"},
      {"stages.postprocess.class_agnostic=yes",
       "--set:1:35: stages.postprocess.class_agnostic: found 'yes'; allowed: true, false"},
      {"stages.preprocess.mean=[1, 2]",
       "--set:1:24: stages.preprocess.mean: found a list; allowed: a number, or a list of 3 numbers"},
      {"stages.preprocess.mean=[1, x, 3]", "--set:1:28: stages.preprocess.mean.1: found 'x'; allowed: a number"},
      {"stages.preprocess.scale=1/0",
       "--set:1:25: stages.preprocess.scale: found '1/0'; allowed: a number, or a list of 3 numbers"},
      {"stages.preprocess.size=320x240",
       "--set:1:24: stages.preprocess.size: found '320x240'; allowed: auto, [WIDTH, HEIGHT] in pixels"},
      {"stages.preprocess.size=[0, 240]",
       "--set:1:25: stages.preprocess.size.0: found '0'; allowed: a whole number from 1 to 16384"},
      {"media.max_pixels=64MiB",
       "--set:1:18: media.max_pixels: found '64MiB'; allowed: a size such as 64Mpx, from 1px"},
      {"dispatch.retain=99999999999GiB",
       "--set:1:17: dispatch.retain: found '99999999999GiB'; allowed: a size such as 64MiB, from 1MiB"},
      {"metrics.listen=9464", "--set:1:16: metrics.listen: found '9464'; allowed: HOST:PORT, or \"\" for none"},
      {"metrics.listen=host:99999",
       "--set:1:16: metrics.listen: found 'host:99999'; allowed: HOST:PORT, or \"\" for none"},
      {"streams.0.id=a/b",
       "--set:1:14: streams.0.id: found 'a/b'; allowed: letters, digits, '.', '_' and '-', not starting with '.'"},
      {"streams.0.policy=drop", "--set:1:18: streams.0.policy: found 'drop'; allowed: auto, live, lossless"},
      {"streams.0.reconnect={min: 1min, max: 3s}", "--set:1:21: streams.0.reconnect: min is larger than max"},
      {"streams=5",
       "--set:1:9: streams: found '5'; allowed: a list; each item: a map with id, uri, policy, sample_fps, transport, "
       "reconnect"},
      {"streams=[]", "--set:1:9: streams: has no stream; allowed: at least one, or a role with http, or with ingest "
                     "that accepts any"},
      {"streams.1={id: a, uri: b.mp4}",
       "t.yaml:7:25: sinks.0.path: found 'out.jsonl' for several streams; allowed: a path with {stream}\n--set:1:16: "
       "streams.1.id: found 'a', which streams.0.id is already"},
      {"streams.0.uri=*.mp4",
       "t.yaml:7:25: sinks.0.path: found 'out.jsonl' for several streams; allowed: a path with {stream}"},
      {"sinks.0.path=out/{steam}.jsonl", "--set:1:14: sinks.0.path: found '{steam}'; allowed: {stream}"},
      {"sinks.1={kind: mp4, path: out.jsonl}",
       "--set:1:27: sinks.1.path: found 'out.jsonl', which sinks.0.path is already"},
      {"sinks.0.path=clip.mp4", "--set:1:14: sinks.0.path: found 'clip.mp4', which a stream reads"},
      {"sinks.0.kind=csv", "--set:1:14: sinks.0.kind: found 'csv'; allowed: jsonl, mp4, zmq"},
      {"jobs.queue.kind=nats", "--set:1:12: jobs.queue.url: is missing; allowed: the address of the queue"},
      {"jobs.concurrent=0", "--set:1:17: jobs.concurrent: found '0'; allowed: a whole number from 1 to 256"},
      {"stages.decode.sample_fps=${NOPE}",
       "--set:1:26: stages.decode.sample_fps: environment variable NOPE is not set; ${NOPE:-default} would give a "
       "default"},
      {"stages.decode.sample_fps=${NOPE",
       "--set:1:26: stages.decode.sample_fps: '${NOPE' has a reference without its closing brace"},
      {"pipeline=${1X}", "--set:1:10: pipeline: '${1X}' is not a reference; write ${NAME} or ${NAME:-default}"},
      {"streams.2.id=x",
       "--set:1:9: streams.2: found '2'; allowed: the index of an item, 0 to 1, where the last adds one"},
      {"stages.decode.device.x=1", "--set:1:22: stages.decode.device: found a map; allowed: auto, cpu, cuda"},
      {"stages", "--set:1:1: found 'stages'; allowed: PATH=VALUE"},
      {"stages.decode=[{]", "--set:1:17: not valid YAML: illegal flow end"},
  }));
  CAPTURE(r.set);
  CHECK(with(r.set) == split(r.problems));
}

TEST_CASE("each wrong file is named with the place of its problem", "[topology]") {
  struct row {
    std::string text;
    strings problems;
  };
  const std::string ok{minimal};
  const std::vector<row> rows{
      {ok + "pipelin: x\n",
       {"t.yaml:8:1: pipelin: unknown key 'pipelin'; allowed: pipeline, streams, stages, tracking, sinks, "
        "checkpoint, quarantine, dispatch, live, media, shutdown, limits, metrics, nodes, http, security, jobs, "
        "scaling; did "
        "you mean 'pipeline'?"}},
      {ok + "live: {queue: 1}\nlive: {queue: 2}\n", {"t.yaml:9:1: live: the key 'live' stands twice, first in line 8"}},
      {ok + "live:\n  queue: 1\n queue: 2\n", {"t.yaml:10:2: not valid YAML: end of map not found"}},
      {ok + "live: {queue: 1\n", {"t.yaml:9:1: not valid YAML: end of map flow not found"}},
      {ok + "---\nlive: {queue: 1}\n", {"t.yaml:9:1: found a second document; allowed: one"}},
      {"- a\n",
       {"t.yaml:1:1: found a list; allowed: a map with pipeline, streams, stages, tracking, sinks, checkpoint, "
        "quarantine, dispatch, live, media, shutdown, limits, metrics, nodes, http, security, jobs, scaling"}},
      {"streams:\n  - id: a\n    uri: a.mp4\nstages:\n  inference:\n    engine: auto\nsinks: [{kind: jsonl, path: "
       "o}]\n",
       {"t.yaml:5:3: stages.postprocess.head: is missing; allowed: yolov5, yolov7, yolov8, yolo11, rtdetr, ssd, "
        "fastestdet, classify",
        "t.yaml:6:5: stages.inference.model: is missing; allowed: a path"}},
      {ok +
           "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
           "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
           "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
       {"t.yaml:1:1: more than 1000000 values, aliases counted"}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.text);
    CHECK(complaints(r.text) == r.problems);
  }
}

TEST_CASE("an empty file says all that must be there", "[topology]") {
  CHECK(complaints("") == strings{"t.yaml:1:1: stages.inference.model: is missing; allowed: a path",
                                  "t.yaml:1:1: stages.postprocess.head: is missing; allowed: yolov5, yolov7, yolov8, "
                                  "yolo11, rtdetr, ssd, fastestdet, classify",
                                  "t.yaml:1:1: streams: has no stream; allowed: at least one, or a role with http, "
                                  "or with ingest that accepts any",
                                  "t.yaml:1:1: sinks: note: there are none: results are counted, not written"});
}

TEST_CASE("every problem of a file is found in one pass, in the order of the file", "[topology]") {
  CHECK(
      complaints(R"(pipeline: "two words"
streams:
  - {id: a, uri: a.mp4, polcy: live}
  - {id: a, uri: b.mp4, sample_fps: -1}
  - {uri: c.mp4}
stages:
  decode: {effort: quick}
  inference: {model: m.onnx, batch: {max: 0, wait: 4}}
  postprocess: {head: ssd, score: high}
tracking: {kind: kalman}
sinks:
  - {kind: jsonl, path: out.jsonl, queue: 0}
live: {max_lag: soon}
)") ==
      strings{
          "t.yaml:1:11: pipeline: found 'two words'; allowed: letters, digits, '.', '_' and '-', not starting with '.'",
          "t.yaml:3:25: streams.0.polcy: unknown key 'polcy'; allowed: id, uri, policy, sample_fps, transport, "
          "reconnect; did you mean 'policy'?",
          "t.yaml:4:10: streams.1.id: found 'a', which streams.0.id is already",
          "t.yaml:4:37: streams.1.sample_fps: found '-1'; allowed: auto, a number from 0",
          "t.yaml:5:5: streams.2.id: is missing; allowed: letters, digits, '.', '_' and '-', not starting with '.'",
          "t.yaml:7:20: stages.decode.effort: found 'quick'; allowed: exact, fast",
          "t.yaml:8:43: stages.inference.batch.max: found '0'; allowed: a whole number from 1 to 1024",
          "t.yaml:8:52: stages.inference.batch.wait: found '4'; allowed: a time such as 4ms, 3s or 5min, from 0us",
          "t.yaml:9:35: stages.postprocess.score: found 'high'; allowed: a number from 0 to 1",
          "t.yaml:10:18: tracking.kind: found 'kalman'; allowed: none, iou, sort",
          "t.yaml:12:25: sinks.0.path: found 'out.jsonl' for 3 streams; allowed: a path with {stream}",
          "t.yaml:12:43: sinks.0.queue: found '0'; allowed: a whole number from 1 to 1000000",
          "t.yaml:13:17: live.max_lag: found 'soon'; allowed: a time such as 4ms, 3s or 5min, from 1ms"});
}

TEST_CASE("roles must make a pipeline together", "[topology]") {
  const auto nodes = [](const std::string& text) { return complaints(std::string{minimal} + "nodes:\n" + text); };
  const std::string worker = "  w: {stages: [decode, preprocess, inference, postprocess], dial: \"tcp://h:1\"}\n";
  CHECK(nodes("  h: {stages: [source, collector], listen: \"tcp://0.0.0.0:1\"}\n" + worker) == strings{});
  CHECK(nodes("  h: {stages: [source], listen: \"tcp://0.0.0.0:1\"}\n" + worker) ==
        strings{"t.yaml:8:1: nodes: no role runs collector",
                "t.yaml:9:15: nodes.h.stages: has one of source and collector; allowed: both or none, since the head "
                "keeps every segment until its results are there"});
  CHECK(nodes("  h: {stages: [source, collector]}\n" + worker) ==
        strings{"t.yaml:9:6: nodes.h: has neither listen nor dial, so no other role reaches it",
                "t.yaml:10:67: nodes.w.dial: no role has listen, so nothing answers"});
  CHECK(nodes("  h: {stages: [source, collector, decode], scale: {min: 3, max: 2}}\n") ==
        strings{"t.yaml:8:1: nodes: no role runs preprocess, inference, postprocess",
                "t.yaml:9:51: nodes.h.scale: min is larger than max",
                "t.yaml:9:65: nodes.h.scale.max: found '2' for the role with source; allowed: 1"});
}

TEST_CASE("a pipeline is cut where its parts fit together", "[topology]") {
  const auto nodes = [](const std::string& text) {
    return complaints(std::string{minimal} +
                      "nodes:\n  h: {stages: [source, collector], listen: \"tcp://0.0.0.0:1\"}\n" + text);
  };
  const auto role = [](const std::string& name, const std::string& stages, bool listens) {
    return "  " + name + ": {stages: [" + stages + "], dial: \"tcp://h:1\"" +
           (listens ? ", listen: \"tcp://0.0.0.0:2\"}\n" : "}\n");
  };
  CHECK(nodes(role("a", "decode", false) + role("b", "preprocess, inference, postprocess", true)) == strings{});
  CHECK(nodes(role("a", "decode, preprocess", false) + role("b", "inference, postprocess", true)) == strings{});
  CHECK(nodes(role("a", "decode, preprocess", false) + role("b", "inference, postprocess", false)) ==
        strings{"t.yaml:11:6: nodes.b.listen: is missing; the machines of a connect to it"});
  CHECK(nodes(role("a", "decode", false) + role("b", "preprocess", true) + role("c", "inference, postprocess", true))
            .at(0)
            .starts_with("t.yaml:10:15: nodes.a.stages: what this role sends is taken by no role with stages "
                         "[preprocess, inference, postprocess]"));
  CHECK(nodes(role("a", "decode, postprocess", false) + role("b", "preprocess, inference", true))
            .at(0)
            .starts_with("t.yaml:10:15: nodes.a.stages: cannot do this part of the work; allowed: "));
}

TEST_CASE("a GPU that no engine can use is one for decoding only", "[topology]") {
  auto o = options();
  o.vocabulary.no_cuda.clear();
  o.overrides = {"stages.decode.device=cuda", "stages.inference.device=cuda"};
  CHECK(complaints(minimal, o) == strings{"--set:2:25: stages.inference.device: found 'cuda', which cannot be used: "
                                          "penstock devices tells which engine lacks what; allowed here: auto, cpu"});
  o.vocabulary.devices = {"cuda", "cpu"};
  CHECK(complaints(minimal, o).empty());
}

TEST_CASE("providers are ONNX Runtime's", "[topology]") {
  auto o = options();
  o.overrides = {"stages.inference.engine=opencv", "stages.inference.providers=[cpu]"};
  CHECK(complaints(minimal, o) ==
        strings{"--set:2:28: stages.inference.providers: note: the engine 'opencv' has no use for them"});
}

TEST_CASE("files that are not there are problems", "[topology]") {
  const sandbox box;
  auto o = options();
  o.check_files = true;
  const auto file = box.write("t.yaml", "streams:\n"
                                        "  - {id: a, uri: none.mp4}\n"
                                        "  - {id: b, uri: \"empty/*.jpg\"}\n"
                                        "  - {id: c, uri: \"rtsp://nobody.invalid/\"}\n"
                                        "stages:\n"
                                        "  inference: {model: none.onnx}\n"
                                        "  postprocess: {head: ssd, labels: folder}\n"
                                        "sinks: [{kind: jsonl, path: \"{stream}.jsonl\"}]\n");
  std::filesystem::create_directories(box.path("folder"));
  const auto result = load(file, o);
  REQUIRE(!result);
  const auto at = [&](const std::string& name) { return std::string{"'"}.append(box.path(name).string()).append("'"); };
  const auto place = [&](const std::string& rest) { return file.string() + rest; };
  CHECK(lines(result.error()) ==
        strings{place(":2:18: streams.0.uri: " + at("none.mp4") + " does not exist"),
                place(":3:18: streams.1.uri: " + at("empty/*.jpg") + " matches no file"),
                place(":6:22: stages.inference.model: " + at("none.onnx") + " does not exist"),
                place(":7:36: stages.postprocess.labels: " + at("folder") + " is a folder; allowed: a file")});
}

TEST_CASE("a topology file that cannot be read is a problem", "[topology]") {
  const sandbox box;
  const auto none = load(box.path("none.yaml"), options());
  REQUIRE(!none);
  CHECK(to_string(none.error().at(0)) ==
        box.path("none.yaml").string() + ":1:1: cannot be read: No such file or directory");
  const auto folder = load(box.path(), options());
  REQUIRE(!folder);
  CHECK(folder.error().at(0).message == "is a folder; allowed: a file");
}
