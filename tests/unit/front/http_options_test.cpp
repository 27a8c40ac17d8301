#include "front/http_options.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "topology/load.hpp"
#include "topology/schema.hpp"

using namespace penstock;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view images = R"(stages:
  inference: {model: m.onnx}
  postprocess: {head: yolov8}
nodes:
  head: {stages: [all], http: "127.0.0.1:8080"}
)";

constexpr const char* digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

topology::vocabulary words() {
  topology::vocabulary v;
  v.heads = {"yolov8"};
  v.sink_kinds = {"jsonl"};
  v.tracker_kinds = {"none", "iou"};
  return v;
}

topology::config with(const std::vector<std::string>& overrides) {
  topology::load_options o;
  o.vocabulary = words();
  o.overrides = overrides;
  o.check_files = false;
  auto loaded = topology::load_text(images, "/base/t.yaml", o);
  if (!loaded) FAIL(to_string(loaded.error().front()));
  return std::move(loaded->config);
}

gateway::options door(const std::vector<std::string>& overrides) {
  return front::http_options_of(with(overrides), "127.0.0.1:8080");
}

struct row {
  std::string key; ///< of `http`
  std::string value;
  std::function<void(gateway::options&)> change;
};

/// Every key, but those of tokens, with a value that is not its default.
const std::vector<row> rows{
    {"open.health", "false", [](auto& o) { o.open_health = false; }},
    {"open.metrics", "false", [](auto& o) { o.open_metrics = false; }},
    {"console", "false", [](auto& o) { o.console = false; }},
    {"cors", "[\"https://a.example\", \"*\"]",
     [](auto& o) {
       o.cors_origins = {"https://a.example", "*"};
     }},
    {"rate.per_token.per_s", "2.5", [](auto& o) { o.rate_per_token.per_s = 2.5; }},
    {"rate.per_token.burst", "3", [](auto& o) { o.rate_per_token.burst = 3; }},
    {"rate.per_address.per_s", "4.5", [](auto& o) { o.rate_per_address.per_s = 4.5; }},
    {"rate.per_address.burst", "5", [](auto& o) { o.rate_per_address.burst = 5; }},
    {"tls.certificate", "c.pem", [](auto& o) { o.tls.certificate = "/base/c.pem"; }},
    {"tls.key", "/k.pem", [](auto& o) { o.tls.key = "/k.pem"; }},
    {"tls.check_every", "6s", [](auto& o) { o.tls.check_every = 6s; }},
    {"limits.connections", "7", [](auto& o) { o.limits.connections = 7; }},
    {"limits.connections_per_address", "8", [](auto& o) { o.limits.connections_per_address = 8; }},
    {"limits.header", "9KiB", [](auto& o) { o.limits.header_bytes = 9216; }},
    {"limits.image", "10MB", [](auto& o) { o.limits.image_bytes = 10'000'000; }},
    {"limits.json", "11kB", [](auto& o) { o.limits.json_bytes = 11'000; }},
    {"limits.upload", "12GB", [](auto& o) { o.limits.upload_bytes = 12'000'000'000; }},
    {"limits.buffered", "13MB", [](auto& o) { o.limits.buffered_bytes = 13'000'000; }},
    {"limits.pixels", "14Mpx", [](auto& o) { o.limits.picture_pixels = 14'000'000; }},
    {"timeouts.header", "15s", [](auto& o) { o.timeouts.header = 15s; }},
    {"timeouts.idle", "16s", [](auto& o) { o.timeouts.idle = 16s; }},
    {"timeouts.body", "17s", [](auto& o) { o.timeouts.body = 17s; }},
    {"timeouts.body_rate", "18kB", [](auto& o) { o.timeouts.body_bytes_per_s = 18'000; }},
    {"timeouts.write", "1999us", [](auto& o) { o.timeouts.write = 1ms; }},
    {"admission.in_flight", "20", [](auto& o) { o.admission.in_flight = 20; }},
    {"admission.max_wait", "21ms", [](auto& o) { o.admission.max_wait = 21ms; }},
    {"admission.deadline", "22s", [](auto& o) { o.admission.deadline = 22s; }},
    {"admission.max_deadline", "23min", [](auto& o) { o.admission.max_deadline = 23min; }},
    {"events.queue", "24", [](auto& o) { o.events.queue = 24; }},
    {"events.readers", "25", [](auto& o) { o.events.readers = 25; }},
    {"events.keep_alive", "26s", [](auto& o) { o.events.keep_alive = 26s; }},
    {"preview.fps", "27.5", [](auto& o) { o.preview.fps = 27.5; }},
    {"preview.viewers", "28", [](auto& o) { o.preview.viewers = 28; }},
};

/// The keys below which there are no others.
void collect(const nlohmann::json& schema, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [key, value] : schema["properties"].items()) {
    const auto inner = path.empty() ? key : path + "." + key;
    if (value.contains("properties"))
      collect(value, inner, out);
    else
      out.push_back(inner);
  }
}

/// How many fields the door's options have, but for those that have tests of their own: address, tokens and insecure.
/// Does not compile where there is one that this file does not know.
std::size_t known_fields(const gateway::options& o) {
  [[maybe_unused]] const auto& [address, tokens, insecure, health, metrics, console, per_token, per_address, tls, cors,
                                limits, timeouts, admission, events, preview] = o;
  [[maybe_unused]] const auto& [per_s, burst] = per_token;
  [[maybe_unused]] const auto& [certificate, key, check_every] = tls;
  [[maybe_unused]] const auto& [connections, each, header, image, json, upload, buffered, pixels] = limits;
  [[maybe_unused]] const auto& [to_header, idle, body, body_rate, write] = timeouts;
  [[maybe_unused]] const auto& [in_flight, max_wait, deadline, max_deadline] = admission;
  [[maybe_unused]] const auto& [queue, readers, keep_alive] = events;
  [[maybe_unused]] const auto& [fps, viewers] = preview;
  return 4 + 2 * 2 + 3 + 8 + 5 + 4 + 3 + 2;
}

} // namespace

TEST_CASE("a topology that says nothing about the door gives the door's own defaults", "[front]") {
  CHECK(door({}) == gateway::options{});
  CHECK(front::http_options_of(topology::config{}, "127.0.0.1:8080") == gateway::options{});
  CHECK(front::http_options_of(topology::config{}, "[::]:1").address == "[::]:1");
}

TEST_CASE("the door takes no picture that the decoder would refuse for its size", "[front]") {
  topology::config c;
  c.media.max_pixels = 1000;
  CHECK(front::http_options_of(c, "127.0.0.1:1").limits.picture_pixels == 1000);
}

TEST_CASE("each key of http sets what it says and nothing else", "[front]") {
  const std::vector<std::string> base{"http.tls={certificate: /c, key: /k}", "http.admission.max_deadline=1h"};
  for (const auto& r : rows) {
    CAPTURE(r.key, r.value);
    auto expected = door(base);
    r.change(expected);
    CHECK(expected != door(base)); // the row says something
    auto overrides = base;
    overrides.push_back("http." + r.key + "=" + r.value);
    const auto changed = door(overrides);
    CHECK(changed == expected);
    CHECK(validate(changed).has_value());
  }
}

TEST_CASE("no key of http, and no option of the door, is left out", "[front]") {
  std::vector<std::string> keys;
  collect(nlohmann::json::parse(topology::json_schema(words()))["properties"]["http"], "", keys);
  std::vector<std::string> tested{"tokens"};
  for (const auto& r : rows) tested.push_back(r.key);
  std::sort(keys.begin(), keys.end());
  std::sort(tested.begin(), tested.end());
  CHECK(tested == keys);
  CHECK(rows.size() == known_fields(gateway::options{}));
}

TEST_CASE("tokens come with their names, digests and scopes", "[front]") {
  using gateway::scope;
  const std::string ann = "{name: ann, sha256: " + std::string{digest} + "}";
  const std::string root = "{name: root, sha256: " + std::string(64, '0') + ", scopes: [admin, streams, jobs, detect]}";
  const auto o = door({"http.tokens=[" + ann + ", " + root + "]"});
  gateway::options expected;
  expected.tokens = {{"ann", digest}, // the door's own scopes
                     {"root", std::string(64, '0'), {scope::admin, scope::streams, scope::jobs, scope::detect}}};
  CHECK(o == expected);
  CHECK(validate(o).has_value());
}

TEST_CASE("a door without tokens is open beyond loopback only where the topology says insecure", "[front]") {
  CHECK_FALSE(door({}).insecure);
  CHECK(door({"security.insecure=true"}).insecure);
}

TEST_CASE("what the topology accepts is accepted by the door", "[front]") {
  for (const auto* limits :
       {"http.limits.header=1KiB", "http.limits.header=1MiB", "http.limits.image=1", "http.timeouts.idle=1ms",
        "http.preview.fps=0.001", "http.rate.per_token={per_s: 0, burst: 1}", "http.cors=[\"null://x\"]",
        "http.admission={max_wait: 1ms, deadline: 1ms, max_deadline: 1ms}"}) {
    CAPTURE(limits);
    CHECK(validate(door({limits})).has_value());
  }
}
