#include "actors/head.hpp"

namespace penstock::actors {

void head_state::publish() {
  run_report report;
  report.failure = failure_;
  report.shutting_down = stop_deadline_.has_value();
  report.abandoned = abandoned_;
  for (const auto& [id, stream] : streams_) report.streams.push_back(stream.report);
  if (config_.door) {
    report.others.push_back({std::string{pictures_account_name}, pictures_ledger_.total()});
    report.others.push_back({std::string{guests_account_name}, guests_ledger_.total()});
  }
  const auto now = core::clock::now();
  for (const auto& [id, worker] : workers_) {
    const auto load = core_->dispatching().load_of(id);
    worker_report w{.name = worker.name,
                    .stages = worker.stages,
                    .role = worker.role,
                    .metrics = worker.metrics,
                    .phase = worker.phase,
                    .bulk = load.bulk,
                    .live = load.live,
                    .requests = load.requests,
                    .credit = load.credit,
                    .bulk_segments = worker.bulk_segments,
                    .live_streams = worker.live_streams,
                    .heard = std::nullopt};
    if (worker.heard != core::time_point{}) w.heard = now - worker.heard;
    report.workers.push_back(std::move(w));
  }
  for (const auto& [id, machine] : machines_) {
    worker_report w;
    w.name = machine.seen.name;
    w.stages = machine.seen.stages;
    w.role = machine.seen.role;
    w.metrics = machine.seen.metrics;
    w.phase = machine.seen.figures.phase;
    w.heard = now - machine.heard;
    report.workers.push_back(std::move(w));
  }
  report.pools = measured_;
  config_.board->put(std::move(report));
}

/// Brings the stream's report and its metrics up to date.
void head_state::export_stream(core::stream_id id, head_stream& stream) {
  const auto now = core::clock::now();
  if (stream.report.phase == stream_phase::running) stream.report.ledger = core_->collecting().ledger_of(id);
  stream.report.frames_per_s = stream.rate.at(stream.report.ledger.delivered, now);
  stream.report.latency_p50 = stream.latency.quantile(0.5, now);
  stream.report.latency_p99 = stream.latency.quantile(0.99, now);
  note_arrivals(stream);
  export_ledger(stream.series, stream.report.ledger, stream.exported);
}

void head_state::export_metrics() {
  for (auto& [id, stream] : streams_) {
    const auto phase = stream.report.phase;
    if (phase == stream_phase::running || phase == stream_phase::closing) export_stream(id, stream);
  }
  pictures_ledger_.show();
  const auto waiting = core_->dispatching().waiting();
  measure_pools(waiting);
  series_.waiting.set(static_cast<double>(waiting.segments));
  series_.waiting_requests.set(static_cast<double>(core_->dispatching().waiting_requests()));
  series_.workers.set(static_cast<double>(workers_.size()));
  const auto& ignored = core_->collecting().ignored();
  series_.duplicates.add(static_cast<double>(ignored.duplicate + ignored.stale + ignored.unknown) -
                         series_.duplicates.value());
  const auto reach = [](const metrics::counter& counter, std::uint64_t value) {
    counter.add(static_cast<double>(value) - counter.value());
  };
  const auto& reports = core_->dispatching().ignored();
  reach(series_.lease_failures, core_->dispatching().failed_leases());
  reach(series_.stale_reports, reports.stale);
  reach(series_.reports_not_held, reports.not_held);
  reach(series_.results_not_sent, reports.not_sent);
  reach(series_.excess_credit, reports.excess_credit);
}

} // namespace penstock::actors
