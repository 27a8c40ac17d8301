#include "scaling/signals.hpp"

#include <limits>

namespace penstock::scaling {

core::seconds signals::backlog() const noexcept {
  if (backlog_items <= 0) return core::seconds{0};
  const double served_at_most = workers.ready * service_per_s;
  return core::seconds{served_at_most > 0 ? backlog_items / served_at_most : std::numeric_limits<double>::infinity()};
}

} // namespace penstock::scaling
