#include "gateway/routes/context.hpp"
#include "gateway/routes/json.hpp"

namespace penstock::gateway::routes {

namespace {

/// This door's own address is the one under which whoever asks has found it.
nlohmann::ordered_json to_json(const target_view& target, const std::string& door, bool tls) {
  nlohmann::ordered_json labels = target.labels;
  if (target.address.empty() && tls) labels["__scheme__"] = "https";
  nlohmann::ordered_json out;
  out["targets"] = nlohmann::ordered_json::array({target.address.empty() ? door : target.address});
  out["labels"] = std::move(labels);
  return out;
}

} // namespace

void add_targets(table& to, const context& with) {
  http::route r{.method = "GET", .pattern = "/v1/targets", .needs = scope::streams};
  r.operation = "listTargets";
  r.summary = "Where metrics are served: this door and the workers, for Prometheus' HTTP service discovery";
  r.replies = {{200, "the targets", {"application/json"}, "TargetList"}};
  r.handle = [node = with.behind.node, tls = with.how.tls.on()](const http::responder_ptr& client) {
    auto all = nlohmann::ordered_json::array();
    const std::string door{client->asked().get("Host")};
    for (const auto& target : node->targets()) all.push_back(to_json(target, door, tls));
    client->reply(http::response{200, "application/json", text_of(all), {}});
  };
  to.push_back(std::move(r));
}

} // namespace penstock::gateway::routes
