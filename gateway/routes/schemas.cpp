#include "gateway/routes/json.hpp"

#include <algorithm>

namespace penstock::gateway::routes {

using nlohmann::ordered_json;

namespace {

ordered_json text(const char* description) { return {{"type", "string"}, {"description", description}}; }
ordered_json count(const char* description) {
  return {{"type", "integer"}, {"minimum", 0}, {"description", description}};
}
ordered_json number(const char* description) { return {{"type", "number"}, {"description", description}}; }
ordered_json flag(const char* description) { return {{"type", "boolean"}, {"description", description}}; }
ordered_json maybe(ordered_json schema) {
  schema["type"] = {schema["type"], "null"};
  return schema;
}
ordered_json one_of(std::vector<const char*> words, const char* description) {
  return {{"type", "string"}, {"enum", words}, {"description", description}};
}
ordered_json refer(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }
ordered_json list(ordered_json items) { return {{"type", "array"}, {"items", std::move(items)}}; }

/// An object of which every member is always there.
ordered_json object(ordered_json properties) {
  auto names = ordered_json::array();
  for (const auto& p : properties.items()) names.push_back(p.key());
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", std::move(names)},
          {"additionalProperties", false}};
}

ordered_json without(ordered_json schema, std::initializer_list<const char*> optional) {
  auto& names = schema["required"];
  for (const auto* o : optional) names.erase(std::ranges::find(names, o));
  return schema;
}

} // namespace

ordered_json schemas() {
  ordered_json all;
  all["Error"] =
      object({{"error", object({{"code", text("for programs: one word")}, {"message", text("for people")}})}});
  all["Box"] = {{"type", "array"},
                {"items", {{"type", "number"}}},
                {"minItems", 4},
                {"maxItems", 4},
                {"description", "left, top, width, height in the picture's pixels"}};
  all["Object"] = object({{"label", text("name of the class")},
                          {"class", {{"type", "integer"}, {"description", "the model's number of the class"}}},
                          {"score", number("0 to 1")},
                          {"box", refer("Box")}});
  all["Detections"] = object({{"width", count("of the picture, in pixels")},
                              {"height", count("of the picture, in pixels")},
                              {"objects", list(refer("Object"))},
                              {"served_ms", number("decode to postprocess, without waiting")},
                              {"request", text("the request's id")}});
  all["Job"] = object({{"id", text("of the job")},
                       {"state", one_of({"queued", "running", "done", "failed", "cancelled", "dead"},
                                        "dead: failed too often, kept until it is looked at")},
                       {"name", text("as the client called it")},
                       {"content_type", text("of its input")},
                       {"uri", text("of its input, where it was not sent")},
                       {"size_bytes", count("of its input")},
                       {"created", {{"type", "string"}, {"format", "date-time"}}},
                       {"finished", maybe({{"type", "string"}, {"format", "date-time"}})},
                       {"frames_done", count("worked on")},
                       {"frames_total", maybe(count("as far as it is known"))},
                       {"dropped",
                        {{"type", "object"},
                         {"additionalProperties", count("frames")},
                         {"description", "frames without a result, by reason"}}},
                       {"eta_s", maybe(number("seconds until it should be done"))},
                       {"attempts", count("begun so far")},
                       {"max_attempts", count("after which it is dead")},
                       {"worker", text("that has it")},
                       {"error", text("of the last attempt")}});
  all["JobPage"] =
      object({{"jobs", list(refer("Job"))}, {"next", maybe(text("the value of `after` for the next page"))}});
  all["JobByUri"] = without(object({{"uri", text("in a configured store")}, {"name", text("for people")}}), {"name"});
  all["Stream"] = object({{"id", text("of the stream")},
                          {"uri", text("where its packets come from, without user and password")},
                          {"policy", text("live or lossless")},
                          {"state", text("one word")},
                          {"removable", flag("whether DELETE may remove it")},
                          {"frames_per_s", number("delivered")},
                          {"latency_p50_ms", number("capture to delivered result")},
                          {"latency_p99_ms", number("capture to delivered result")},
                          {"received", count("frames")},
                          {"delivered", count("frames")},
                          {"in_flight", count("frames")},
                          {"dropped",
                           {{"type", "object"},
                            {"additionalProperties", count("frames")},
                            {"description", "by reason; received = delivered + dropped + in_flight"}}}});
  all["StreamList"] = object({{"streams", list(refer("Stream"))}});
  all["NewStream"] = without(object({{"id", text("a plain name")},
                                     {"uri", text("rtsp, rtmp, http(s), a file or a device")},
                                     {"policy", one_of({"live", "lossless"}, "as the source suggests, if not given")}}),
                             {"policy"});
  all["Account"] = object({{"id", text("of what has no stream: pictures, streams that left, jobs")},
                           {"received", count("frames")},
                           {"delivered", count("frames")},
                           {"in_flight", count("frames")},
                           {"dropped",
                            {{"type", "object"},
                             {"additionalProperties", count("frames")},
                             {"description", "by reason; received = delivered + dropped + in_flight"}}}});
  all["Worker"] = object({{"name", text("of the worker")},
                          {"role", text("of the topology's nodes")},
                          {"state", text("one word")},
                          {"stages", list({{"type", "string"}})},
                          {"device", text("it computes on")},
                          {"load", number("0 to 1")},
                          {"leases", count("segments it holds")},
                          {"credit", count("segments it may still get")},
                          {"heard_s", number("since its last message")}});
  all["Stage"] = object({{"name", text("of the stage")},
                         {"items_per_s", number("frames")},
                         {"utilisation", number("0 to 1")},
                         {"queue", count("frames waiting before it")}});
  all["Target"] = object({{"targets", list(text("HOST:PORT that serves /metrics"))},
                          {"labels",
                           {{"type", "object"},
                            {"additionalProperties", {{"type", "string"}}},
                            {"description", "role and name of who serves them"}}}});
  all["TargetList"] = list(refer("Target"));
  all["Health"] =
      object({{"ApplicationHealthState", one_of({"Healthy", "Unhealthy"}, "as health probes of scale sets read it")}});
  all["State"] = object({{"pipeline", text("the topology's name")},
                         {"version", text("of the program")},
                         {"model", text("file name")},
                         {"engine", text("that runs it")},
                         {"device", text("it runs on")},
                         {"draining", flag("takes no more work")},
                         {"uptime_s", number("since the start")},
                         {"streams", list(refer("Stream"))},
                         {"others", list(refer("Account"))},
                         {"workers", list(refer("Worker"))},
                         {"stages", list(refer("Stage"))}});
  return all;
}

} // namespace penstock::gateway::routes
