#include "gateway/routes/context.hpp"
#include "metrics/server.hpp"

namespace penstock::gateway::routes {

namespace {

http::response state(bool good, std::string word) {
  return {good ? 200 : 503, "text/plain; charset=utf-8", (good ? "" : "not ") + std::move(word) + "\n", {}};
}

/// In the form that scale sets of machines read. What is not 200 they would count as unknown.
http::response rich(bool good) { return {200, "application/json", metrics::rich_health(good), {}}; }

bool asks_for_json(const http::request& asked) {
  return asked.get("Accept").find("application/json") != std::string::npos;
}

} // namespace

void add_health(table& to, const context& with) {
  auto* node = with.behind.node;
  const auto guarded = [](bool open) { return open ? std::nullopt : std::optional{scope::admin}; };
  {
    http::route r{.method = "GET", .pattern = "/metrics", .needs = guarded(with.how.open_metrics)};
    r.operation = "getMetrics";
    r.summary = "All metrics, in Prometheus' text format";
    r.replies = {{200, "the metrics", {"text/plain; version=0.0.4; charset=utf-8"}, ""}};
    r.handle = [node](const http::responder_ptr& to_client) {
      to_client->reply(http::response{200, "text/plain; version=0.0.4; charset=utf-8", node->metrics(), {}});
    };
    to.push_back(std::move(r));
  }
  {
    http::route r{.method = "GET", .pattern = "/healthz", .needs = guarded(with.how.open_health)};
    r.operation = "getHealth";
    r.summary = "Whether the program works";
    r.replies = {
        {200, "it does; in JSON: whether it does", {"text/plain; charset=utf-8", "application/json"}, "Health"},
        {503, "a part has failed", {"text/plain; charset=utf-8"}, ""}};
    r.handle = [node](const http::responder_ptr& to_client) {
      const bool good = node->healthy();
      to_client->reply(asks_for_json(to_client->asked()) ? rich(good) : state(good, "healthy"));
    };
    to.push_back(std::move(r));
  }
  {
    http::route r{.method = "GET", .pattern = "/healthz/rich", .needs = guarded(with.how.open_health)};
    r.operation = "getRichHealth";
    r.summary = "Whether the program works, for the health probe of a scale set; draining is healthy";
    r.replies = {{200, "whether it does", {"application/json"}, "Health"}};
    r.handle = [node](const http::responder_ptr& to_client) { to_client->reply(rich(node->healthy())); };
    to.push_back(std::move(r));
  }
  {
    http::route r{.method = "GET", .pattern = "/readyz", .needs = guarded(with.how.open_health)};
    r.operation = "getReadiness";
    r.summary = "Whether it takes work";
    r.replies = {{200, "it does", {"text/plain; charset=utf-8"}, ""},
                 {503, "it drains, or has not begun", {"text/plain; charset=utf-8"}, ""}};
    r.handle = [node](const http::responder_ptr& to_client) { to_client->reply(state(node->ready(), "ready")); };
    to.push_back(std::move(r));
  }
  {
    http::route r{.method = "POST", .pattern = "/v1/drain", .needs = scope::admin};
    r.operation = "drain";
    r.summary = "Takes no more work, finishes what was taken, and ends the program";
    r.replies = {{202, "it has begun to", {}, ""}};
    r.handle = [node](const http::responder_ptr& to_client) {
      node->drain([to_client](const core::expected<std::monostate>& done) {
        if (!done) return to_client->reply(done.error());
        to_client->reply(http::response{202, {}, {}, {}});
      });
    };
    to.push_back(std::move(r));
  }
}

} // namespace penstock::gateway::routes
