#include "gateway/routes/context.hpp"

namespace penstock::gateway::routes {

void add_workers(table& to, const context& with) {
  http::route r{.method = "POST", .pattern = "/v1/workers/{name}/drain", .needs = scope::admin};
  r.operation = "drainWorker";
  r.summary = "Has a worker take no more work, finish what it has, and leave; its state shows how far it is";
  r.replies = {{202, "it was asked to", {}, ""}, {404, "there is no such worker", {"application/json"}, "Error"}};
  r.handle = [node = with.behind.node](const http::responder_ptr& client) {
    node->drain_worker(client->asked().parameters.at("name"), [client](const core::expected<change>& done) {
      if (!done) return client->reply(done.error());
      if (*done != change::done) return client->reply(http::refusal(404, "not_found", "there is no such worker"));
      client->reply(http::response{202, {}, {}, {}});
    });
  };
  to.push_back(std::move(r));
}

} // namespace penstock::gateway::routes
