#include "gateway/routes/context.hpp"

namespace penstock::gateway::routes {

void add_events(table&, const context&) {}

} // namespace penstock::gateway::routes
