#include "actors/account.hpp"

namespace penstock::actors {

void export_ledger(const metrics::stream_series& series, const dispatch::ledger& now, dispatch::ledger& before) {
  if (now == before) return;
  series.received.add(static_cast<double>(now.received - before.received));
  series.delivered.add(static_cast<double>(now.delivered - before.delivered));
  for (std::size_t r = 0; r < now.dropped.size(); ++r)
    series.dropped[r].add(static_cast<double>(now.dropped[r] - before.dropped[r]));
  series.in_flight.add(static_cast<double>(now.in_flight()) - static_cast<double>(before.in_flight()));
  before = now;
}

void account::settled(const dispatch::ledger& each) {
  total_.delivered += each.delivered;
  for (std::size_t r = 0; r < each.dropped.size(); ++r) total_.dropped[r] += each.dropped[r];
}

} // namespace penstock::actors
