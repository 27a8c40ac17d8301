#include "gateway/routes/context.hpp"

namespace penstock::gateway::routes {

void add_state(table&, const context&) {}

} // namespace penstock::gateway::routes
