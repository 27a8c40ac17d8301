#include "topology/schema.hpp"

#include <sstream>

#include <nlohmann/json.hpp>

#include "sandbox.hpp"
#include "tests/catch.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;
using nlohmann::json;

namespace {

/// The paths of a schema's properties, lists as `[]`, names of the user's choice as `*`.
void collect(const json& schema, const std::string& path, std::vector<std::string>& out) {
  if (schema.contains("items")) collect(schema["items"], path + "[]", out);
  if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object()) {
    collect(schema["additionalProperties"], path + ".*", out);
  }
  if (!schema.contains("properties")) return;
  for (const auto& [key, value] : schema["properties"].items()) {
    const auto inner = path.empty() ? key : path + "." + key;
    out.push_back(inner);
    CAPTURE(inner);
    CHECK(!value.value("description", "").empty());
    collect(value, inner, out);
  }
}

} // namespace

TEST_CASE("the JSON Schema has every key, each with its meaning", "[topology]") {
  const auto schema = json::parse(json_schema(options().vocabulary));
  CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
  CHECK(schema["required"] == json{"stages"});
  CHECK(schema["additionalProperties"] == false);
  std::vector<std::string> paths;
  collect(schema, "", paths);
  for (const auto* path : {"pipeline",
                           "streams[].id",
                           "streams[].reconnect.max",
                           "stages.decode.sample_fps",
                           "stages.preprocess.scale",
                           "stages.inference.batch.wait",
                           "stages.postprocess.head",
                           "tracking.kind",
                           "sinks[].path",
                           "nodes.*.scale.max",
                           "dispatch.read_ahead.bytes",
                           "live.max_lag",
                           "media.max_pixels",
                           "shutdown.grace",
                           "limits.open_streams",
                           "checkpoint",
                           "quarantine",
                           "metrics.listen",
                           "http.tokens[].sha256",
                           "http.rate.per_address.burst",
                           "http.tls.key",
                           "http.limits.upload",
                           "security.insecure",
                           "jobs.queue.kind",
                           "jobs.blobs.path",
                           "jobs.concurrent",
                           "jobs.max_attempts",
                           "jobs.spool",
                           "jobs.spool_bytes",
                           "scaling.fleet",
                           "scaling.rate.stable_for",
                           "scaling.threshold.out[].cooldown",
                           "scaling.schedule.entries[].days",
                           "scaling.vmss.resource_id"}) {
    CAPTURE(path);
    CHECK(std::find(paths.begin(), paths.end(), path) != paths.end());
  }
  const auto& head = schema["properties"]["stages"]["properties"]["postprocess"];
  CHECK(head["required"] == json{"head"});
  CHECK(head["properties"]["head"]["enum"] == options().vocabulary.heads);
  CHECK(head["properties"]["max_objects"]["default"] == 300);
}

TEST_CASE("the manual is what the table of keys says", "[topology]") {
  std::ifstream file{"docs/topology.md"};
  std::ostringstream text;
  text << file.rdbuf();
  INFO("renew it: penstock schema --markdown > docs/topology.md");
  CHECK(text.str() == markdown_reference(options().vocabulary));
}
