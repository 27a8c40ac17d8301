#include <map>

#include "gateway/http/text.hpp"
#include "gateway/routes/context.hpp"
#include "gateway/routes/json.hpp"

namespace penstock::gateway::routes {

using nlohmann::ordered_json;

namespace {

ordered_json refer(const std::string& schema) { return {{"$ref", "#/components/schemas/" + schema}}; }

bool is_document(const std::string& type) { return type == "application/json" || type == "application/msgpack"; }

/// The names between braces.
std::vector<std::string> names_in(const std::string& pattern) {
  std::vector<std::string> names;
  for (auto at = pattern.find('{'); at != std::string::npos; at = pattern.find('{', at + 1)) {
    names.push_back(pattern.substr(at + 1, pattern.find('}', at) - at - 1));
  }
  return names;
}

ordered_json content_of(const std::vector<std::string>& types, const std::string& schema) {
  auto content = ordered_json::object();
  for (const auto& type : types) {
    if (!schema.empty() && is_document(type))
      content[type] = {{"schema", refer(schema)}};
    else
      content[type] = ordered_json::object();
  }
  return content;
}

ordered_json parameters_of(const http::route& r) {
  auto list = ordered_json::array();
  for (const auto& name : names_in(r.pattern)) {
    list.push_back({{"name", name},
                    {"in", "path"},
                    {"required", true},
                    {"schema", {{"type", "string"}, {"pattern", "^[A-Za-z0-9._-]{1,128}$"}}}});
  }
  for (const auto& p : r.parameters) {
    if (p.name == "Accept") continue; // OpenAPI says it by the types of replies, and ignores such a parameter
    list.push_back(
        {{"name", p.name}, {"in", p.in}, {"description", p.description}, {"schema", ordered_json::parse(p.schema)}});
  }
  return list;
}

ordered_json responses_of(const http::route& r, bool tokens) {
  std::map<int, ordered_json> all;
  const auto refusal = [&](int status, const char* description) {
    all[status] = {{"description", description}, {"content", content_of({"application/json"}, "Error")}};
  };
  // What the door itself may say to everybody.
  refusal(400, "the request is not as it must be");
  refusal(429, "too many requests; Retry-After says when to come again");
  if (!r.lacks.empty()) refusal(501, "the topology lacks what this needs");
  if (r.needs && tokens) {
    refusal(401, "a token is needed");
    refusal(403, "the token lacks the scope");
  }
  if (r.body != http::body_rule::none) {
    refusal(408, "the body did not come in time");
    refusal(413, "the body is too large");
  }
  for (const auto& reply : r.replies) {
    ordered_json one{{"description", reply.description}};
    if (!reply.content_types.empty()) one["content"] = content_of(reply.content_types, reply.schema);
    all[reply.status] = std::move(one);
  }
  auto out = ordered_json::object();
  for (auto& [status, reply] : all) out[std::to_string(status)] = std::move(reply);
  return out;
}

ordered_json operation_of(const http::route& r, bool tokens) {
  ordered_json op{{"operationId", r.operation}, {"summary", r.summary}};
  if (auto parameters = parameters_of(r); !parameters.empty()) op["parameters"] = std::move(parameters);
  if (!r.body_types.empty()) {
    auto content = content_of(r.body_types, r.body_schema);
    if (content.contains("multipart/form-data")) {
      content["multipart/form-data"] = {
          {"schema", {{"type", "object"}, {"properties", {{"image", ordered_json::object()}}}}}};
    }
    op["requestBody"] = {{"required", true}, {"content", std::move(content)}};
  }
  op["responses"] = responses_of(r, tokens);
  if (r.needs && tokens) {
    op["security"] = ordered_json::array({{{"token", ordered_json::array()}}});
    op["x-scope"] = to_string(*r.needs);
  }
  return op;
}

ordered_json document(const table& routes, bool tokens) {
  ordered_json doc{
      {"openapi", "3.1.0"},
      {"info", {{"title", "Penstock"}, {"version", "1"}, {"summary", "Video and images in, detections out"}}}};
  auto paths = ordered_json::object();
  for (const auto& r : routes) {
    auto method = r.method;
    for (auto& c : method) c = static_cast<char>(c - 'A' + 'a');
    paths[r.pattern][method] = operation_of(r, tokens);
  }
  doc["paths"] = std::move(paths);
  doc["components"]["schemas"] = schemas();
  if (tokens) doc["components"]["securitySchemes"]["token"] = {{"type", "http"}, {"scheme", "bearer"}};
  return doc;
}

} // namespace

void add_openapi(table& to, const context& with) {
  http::route r{.method = "GET", .pattern = "/v1/openapi.json"};
  r.operation = "getOpenApi";
  r.summary = "This document";
  r.replies = {{200, "OpenAPI 3.1", {"application/json"}, ""}};
  to.push_back(r);
  const auto text = std::make_shared<const std::string>(text_of(document(to, !with.how.tokens.empty())) + "\n");
  to.back().handle = [text](const http::responder_ptr& client) {
    client->reply(http::response{200, "application/json", *text, {}});
  };
}

} // namespace penstock::gateway::routes
