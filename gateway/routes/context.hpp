#pragma once

#include <vector>

#include "gateway/api.hpp"
#include "gateway/figures.hpp"
#include "gateway/http/route.hpp"
#include "gateway/options.hpp"

namespace penstock::gateway::routes {

/// What the routes work with; outlives them.
struct context {
  const options& how;
  const api& behind;
  figures& counts;
};

using table = std::vector<http::route>;

/// Each adds the routes of its part. Handlers run on the gateway's thread, completions on any.
void add_health(table& to, const context& with);
void add_detect(table& to, const context& with);
void add_jobs(table& to, const context& with);
void add_streams(table& to, const context& with);
void add_events(table& to, const context& with);
void add_state(table& to, const context& with);
void add_targets(table& to, const context& with);
void add_workers(table& to, const context& with);
void add_console(table& to, const context& with);
/// Last, for it describes the others.
void add_openapi(table& to, const context& with);

/// All of them, in the order of the document.
[[nodiscard]] table all(const context& with);

} // namespace penstock::gateway::routes
