#include "topology/load.hpp"

#include "sandbox.hpp"
#include "tests/catch.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;
using namespace std::chrono_literals;

TEST_CASE("a short file has defaults for everything else", "[topology]") {
  const auto result = load_text(minimal, "t.yaml", options());
  REQUIRE(result);
  CHECK(result->notes.empty());
  config expected;
  expected.streams = {{.id = "a", .uri = "clip.mp4", .policy = stream_policy::lossless, .sample_fps = 0.0}};
  expected.stages.inference.model = "m.onnx";
  expected.stages.postprocess.head = "yolov8";
  expected.sinks = {{.kind = "jsonl", .path = "out.jsonl"}};
  CHECK(result->config == expected);
}

TEST_CASE("every kind of value arrives in its member", "[topology]") {
  const auto result = load_text(R"(
pipeline: lobby-2
streams:
  - {id: door, uri: "rtsp://10.0.0.8/main", sample_fps: 2.5, transport: udp, reconnect: {min: 250ms, max: 1.5min}}
  - id: still
    uri: shots/*.png
    policy: live
stages:
  decode: {device: cpu, sample_fps: 10, effort: fast, concurrency: 3}
  preprocess: {fit: stretch, filter: area, color: bgr, mean: [127, 127.5, 128], scale: 1/128, pad: 0, size: [320, 240]}
  inference: {model: m.onnx, engine: onnxruntime, precision: fp16, providers: [tensorrt, cpu], cache: kept,
              batch: {max: 1, wait: 250us}, instances: 2, threads: 4}
  postprocess: {head: ssd, labels: l.txt, score: 0.7, iou: 0.3, max_objects: 10, top_k: 1, class_agnostic: true}
tracking: {kind: sort, min_iou: 0.5, max_age: 1, min_hits: 2}
sinks:
  - {kind: mp4, path: "/out/{stream}.mp4", queue: 8, fps: 12.5}
dispatch: {attempts: 5, read_ahead: {packets: 64, bytes: 1MiB}, retain: 2GiB}
live: {queue: 4, max_lag: 2s}
media: {max_pixels: 1.5Mpx}
shutdown: {grace: 0}
limits: {open_streams: 2, quarantine_segments: 3, quarantine_bytes: 1MiB}
checkpoint: kept
quarantine: ""
metrics: {listen: "[::1]:9464", streams: 20}
)",
                                "sub/t.yaml", options());
  REQUIRE(result);
  const auto& c = result->config;
  CHECK(c.pipeline == "lobby-2");
  CHECK(c.streams[0] == stream_config{.id = "door",
                                      .uri = "rtsp://10.0.0.8/main",
                                      .policy = stream_policy::live,
                                      .sample_fps = 2.5,
                                      .transport = rtsp_transport::udp,
                                      .reconnect = {250ms, 90s}});
  CHECK(c.streams[1] ==
        stream_config{.id = "still", .uri = "sub/shots/*.png", .policy = stream_policy::live, .sample_fps = 10.0});
  CHECK(c.stages.decode == decode_config{device::cpu, 10, decode_effort::fast, 3});
  CHECK(c.stages.preprocess == preprocess_config{.fit = resize_fit::stretch,
                                                 .filter = resize_filter::area,
                                                 .color = color_order::bgr,
                                                 .mean = {127, 127.5F, 128},
                                                 .scale = {1.0F / 128, 1.0F / 128, 1.0F / 128},
                                                 .pad = 0,
                                                 .size = size_px{320, 240}});
  CHECK(c.stages.inference == inference_config{.model = "sub/m.onnx",
                                               .engine = "onnxruntime",
                                               .precision = precision::fp16,
                                               .providers = {provider::tensorrt, provider::cpu},
                                               .cache = "sub/kept",
                                               .batch = {.max = 1, .wait = 250us},
                                               .instances = 2,
                                               .threads = 4});
  CHECK(c.stages.postprocess == postprocess_config{"ssd", "sub/l.txt", 0.7F, 0.3F, 10, 1, true});
  CHECK(c.tracking == tracking_config{"sort", 0.5F, 1, 2});
  CHECK(c.sinks[0] == sink_config{"mp4", "/out/{stream}.mp4", {}, 8, 12.5});
  CHECK(c.dispatch.attempts == 5);
  CHECK(c.dispatch.read_ahead == read_ahead_config{64, 1 << 20});
  CHECK(c.dispatch.retain == 2LL << 30);
  CHECK(c.live == live_config{4, 2s});
  CHECK(c.media.max_pixels == 1'500'000);
  CHECK(c.shutdown.grace == 0s);
  CHECK(c.limits == limits_config{2, 3, 1 << 20});
  CHECK(c.checkpoint == "sub/kept");
  CHECK(c.quarantine.empty());
  CHECK(c.metrics.listen == "[::1]:9464");
  CHECK(c.metrics.streams == 20);
}

TEST_CASE("the scale of 1/255 is the float that 1.0F / 255 is", "[topology]") {
  const auto result = load_text(minimal, "t.yaml", [] {
    auto o = options();
    o.overrides = {"stages.preprocess.scale=1/255"};
    return o;
  }());
  REQUIRE(result);
  CHECK(result->config.stages.preprocess == preprocess_config{});
}

TEST_CASE("an override replaces a value, adds a key, or adds an item", "[topology]") {
  auto o = options();
  o.overrides = {"stages.decode.sample_fps=5", "tracking={kind: iou}", "streams.1={id: b, uri: b.mp4}",
                 "sinks.0.path={stream}.jsonl", "streams.0.uri=other.mp4"};
  const auto result = load_text(minimal, "t.yaml", o);
  INFO((result ? "" : to_string(result.error().front())));
  REQUIRE(result);
  CHECK(result->config.stages.decode.sample_fps == 5);
  CHECK(result->config.tracking.kind == "iou");
  REQUIRE(result->config.streams.size() == 2);
  CHECK(result->config.streams[0].uri == "other.mp4");
  CHECK(result->config.streams[1].sample_fps == 5.0);
}

TEST_CASE("references to the environment are replaced, with defaults where it says nothing", "[topology]") {
  const auto text = std::string{minimal} + R"(
pipeline: x-${NONE:-y}-${EMPTY:-z}
metrics: {listen: "${EMPTY}"}
live: {max_lag: "${NONE:-4}ms"}
)";
  auto o = options();
  o.overrides = {"stages.decode.sample_fps=${FPS}", "streams.0.uri='$${a}-${FPS}.mp4'"};
  const auto result = load_text(text, "t.yaml", o);
  REQUIRE(result);
  CHECK(result->config.pipeline == "x-y-z");
  CHECK(result->config.live.max_lag == 4ms);
  CHECK(result->config.metrics.listen.empty());
  CHECK(result->config.stages.decode.sample_fps == 12.5);
  CHECK(result->config.streams[0].uri == "${a}-12.5.mp4");
}

TEST_CASE("anchors and merge keys work", "[topology]") {
  const auto result = load_text(R"(
streams:
  - &camera {id: a, uri: "rtsp://a/", reconnect: {min: 1s}, sample_fps: 3}
  - {<<: *camera, id: b}
stages: {inference: {model: m.onnx}, postprocess: {head: ssd}}
sinks: [{kind: jsonl, path: "{stream}"}]
)",
                                "t.yaml", options());
  INFO((result ? "" : to_string(result.error().front())));
  REQUIRE(result);
  CHECK(result->config.streams[1].id == "b");
  CHECK(result->config.streams[1].uri == "rtsp://a/");
  CHECK(result->config.streams[1].reconnect.min == 1s);
}

TEST_CASE("the policy that a file leaves open follows from the source", "[topology]") {
  const auto policy_of = [](const std::string& uri) {
    auto o = options();
    o.overrides = {"streams.0.uri='" + uri + "'"};
    const auto result = load_text(minimal, "t.yaml", o);
    REQUIRE(result);
    return *result->config.streams[0].policy;
  };
  for (const auto* uri : {"a.mp4", "file:///a.mkv", "*.jpg", "folder/", "https://host/a.mp4?token=1",
                          "synthetic://?frames=10", "synthetic://"}) {
    CAPTURE(uri);
    CHECK(policy_of(uri) == stream_policy::lossless);
  }
  for (const auto* uri : {"rtsp://host/a", "rtmp://host/a.mp4", "/dev/video0", "v4l2:///dev/video1",
                          "http://host/live.m3u8", "synthetic://?frames=10&live=1", "synthetic://?live=0&frames=0"}) {
    CAPTURE(uri);
    CHECK(policy_of(uri) == stream_policy::live);
  }
}

TEST_CASE("the examples in configs are valid", "[topology]") {
  for (const auto& file : std::filesystem::directory_iterator{"configs"}) {
    if (file.path().extension() != ".yaml") continue;
    CAPTURE(file.path());
    const auto result = load(file.path(), options());
    INFO((result ? "" : to_string(result.error().front())));
    CHECK(result);
  }
}

TEST_CASE("what other rooms find out later is told with the place of the value", "[topology]") {
  auto o = options();
  o.overrides = {"stages.decode.sample_fps=5"};
  const auto result = load_text(minimal, "t.yaml", o);
  REQUIRE(result);
  const auto at = [&](const char* path) { return to_string(result->places.at(path, "x")); };
  CHECK(at("stages.inference.model") == "t.yaml:4:22: stages.inference.model: x");
  CHECK(at("stages.inference.batch.max") == "t.yaml:4:14: stages.inference.batch.max: x");
  CHECK(at("stages.decode.sample_fps") == "--set:1:26: stages.decode.sample_fps: x");
  CHECK(at("streams.0.uri") == "t.yaml:2:18: streams.0.uri: x");
  CHECK(at("elsewhere") == "t.yaml:1:1: elsewhere: x");
}
