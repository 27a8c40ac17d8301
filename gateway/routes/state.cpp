#include "gateway/routes/context.hpp"
#include "gateway/routes/json.hpp"

namespace penstock::gateway::routes {

void add_state(table& to, const context& with) {
  http::route r{.method = "GET", .pattern = "/v1/state", .needs = scope::streams};
  r.operation = "getState";
  r.summary = "All that the console shows: streams with their ledger, workers, stages";
  r.replies = {{200, "the state", {"application/json", "application/msgpack"}, "State"}};
  auto* behind = with.behind.state;
  if (behind == nullptr) {
    r.lacks = "this node has no state to show: its topology has no role with the stage `collector`";
  } else {
    r.handle = [behind](const http::responder_ptr& client) {
      behind->state(client->gone(), [client](const core::expected<state_view>& now) {
        if (!now) return client->reply(now.error());
        client->reply(reply_with(200, to_json(*now), client->asked()));
      });
    };
  }
  to.push_back(std::move(r));
}

} // namespace penstock::gateway::routes
