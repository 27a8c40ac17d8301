#pragma once

#include "metrics/families.hpp"
#include "transport/hub.hpp"

namespace penstock::actors {

/// Brings the series up to what the hub has counted. To be called by one actor only.
inline void export_links(const transport::hub_counters& now, const metrics::link_series& series) {
  const auto reach = [](const metrics::counter& counter, std::uint64_t value) {
    counter.add(static_cast<double>(value) - counter.value());
  };
  reach(series.sent_bytes, now.bytes_sent);
  reach(series.received_bytes, now.bytes_received);
  reach(series.sent_messages, now.messages_sent);
  reach(series.received_messages, now.messages_received);
  reach(series.refused_full, now.refused_full);
  reach(series.refused_messages, now.refused_messages);
  reach(series.refused_keys, now.refused_keys);
  reach(series.refused_early, now.ended_early);
  reach(series.lost, now.connections_lost);
}

} // namespace penstock::actors
