#include "gateway/routes/context.hpp"

namespace penstock::gateway::routes {

table all(const context& with) {
  table to;
  add_detect(to, with);
  add_jobs(to, with);
  add_streams(to, with);
  add_events(to, with);
  add_state(to, with);
  add_targets(to, with);
  add_workers(to, with);
  add_health(to, with);
  add_openapi(to, with);
  if (with.how.console) add_console(to, with);
  return to;
}

} // namespace penstock::gateway::routes
