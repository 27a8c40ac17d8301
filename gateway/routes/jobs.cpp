#include "gateway/routes/context.hpp"

namespace penstock::gateway::routes {

void add_jobs(table&, const context&) {}

} // namespace penstock::gateway::routes
