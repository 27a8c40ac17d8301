#include "front/views.hpp"

namespace penstock::front {

std::string_view state_word(const actors::stream_report& report) noexcept {
  using actors::stream_phase;
  switch (report.phase) {
  case stream_phase::waiting: return "waiting";
  case stream_phase::opening: return "connecting";
  case stream_phase::running: return "running";
  case stream_phase::closing: return "ending";
  case stream_phase::finished: return report.error ? "failed" : "ended";
  }
  return "unknown";
}

std::map<std::string, std::uint64_t> drops_of(const dispatch::ledger& ledger) {
  std::map<std::string, std::uint64_t> drops;
  for (const auto reason : core::all_drop_reasons)
    if (const auto n = ledger.dropped_for(reason); n > 0) drops.emplace(core::to_string(reason), n);
  return drops;
}

gateway::stream_view view_of(const actors::stream_report& report) {
  gateway::stream_view v;
  v.id = report.id;
  v.uri = report.uri;
  v.policy = report.lossless ? "lossless" : "live";
  v.state = state_word(report);
  v.removable = report.guest;
  v.frames_per_s = report.frames_per_s;
  v.latency_p50_s = report.latency_p50.count();
  v.latency_p99_s = report.latency_p99.count();
  v.received = report.ledger.received;
  v.delivered = report.ledger.delivered;
  v.in_flight = report.ledger.in_flight();
  v.dropped = drops_of(report.ledger);
  return v;
}

} // namespace penstock::front
