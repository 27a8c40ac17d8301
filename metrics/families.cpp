#include "metrics/families.hpp"

#include <map>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <set>
#include <stdexcept>

namespace penstock::metrics {

namespace {

using labels = std::map<std::string, std::string>;

/// Every name, type, label and meaning stands here and nowhere else.
constexpr std::array all_families{
    family_info{"penstock_build_info", "gauge", "version", "1; the running version"},
    family_info{"penstock_model_info", "gauge", "model,digest,engine,device", "1; the model in service"},
    family_info{"penstock_stream_received_frames_total", "counter", "stream", "Frames taken from the source"},
    family_info{"penstock_stream_delivered_frames_total", "counter", "stream", "Frames whose result every sink took"},
    family_info{"penstock_stream_dropped_frames_total", "counter", "stream,reason",
                "Frames without a result, by reason"},
    family_info{"penstock_stream_in_flight_frames", "gauge", "stream",
                "Frames received, neither delivered nor dropped"},
    family_info{"penstock_stream_source_credit_packets", "gauge", "stream", "Packets a lossless source may still read"},
    family_info{"penstock_stream_reconnects_total", "counter", "stream", "Times the source was opened again"},
    family_info{"penstock_stream_objects_total", "counter", "stream", "Objects in delivered results"},
    family_info{"penstock_stream_latency_seconds", "histogram", "stream", "From capture to delivered result"},
    family_info{"penstock_stage_busy_seconds_total", "counter", "stage",
                "Time spent working, over all actors of the stage"},
    family_info{"penstock_stage_items_total", "counter", "stage", "Frames that passed the stage"},
    family_info{"penstock_stage_duration_seconds", "histogram", "stage", "Time for one frame (inference: one batch)"},
    family_info{"penstock_stage_queue_items", "gauge", "stage", "Items waiting in front of the stage"},
    family_info{"penstock_stage_credit_items", "gauge", "stage", "Items the stage may still be sent"},
    family_info{"penstock_inference_batch_images", "histogram", "", "Images in a batch"},
    family_info{"penstock_inference_failures_total", "counter", "", "Batches that the engine failed on"},
    family_info{"penstock_dispatch_leases_total", "counter", "", "Segments leased to workers"},
    family_info{"penstock_dispatch_lease_failures_total", "counter", "", "Leases that ended without all results"},
    family_info{"penstock_dispatch_quarantined_segments_total", "counter", "",
                "Segments given up after too many attempts"},
    family_info{"penstock_dispatch_quarantine_refused_segments_total", "counter", "",
                "Given-up segments that were not kept for inspection: no room, or the disk failed"},
    family_info{"penstock_dispatch_duplicate_results_total", "counter", "", "Results that came twice or too late"},
    family_info{"penstock_dispatch_ignored_reports_total", "counter", "reason",
                "What workers said that changed nothing: of segments of an earlier life of the head (stale), that they "
                "do not hold any more (not_held), results of frames that nobody was sent (not_sent), more credit than "
                "they declared (excess_credit); and what workers said that had been given up (late)"},
    family_info{"penstock_dispatch_waiting_segments", "gauge", "", "Segments that no worker holds"},
    family_info{"penstock_dispatch_waiting_requests", "gauge", "", "Pictures with a deadline that no worker holds"},
    family_info{"penstock_dispatch_workers", "gauge", "", "Workers that take leases"},
    family_info{"penstock_sink_written_results_total", "counter", "sink", "Results written"},
    family_info{"penstock_sink_failed_results_total", "counter", "sink", "Results that could not be written"},
    family_info{"penstock_sink_queue_results", "gauge", "sink", "Results waiting for the sink"},
    family_info{"penstock_link_bytes_total", "counter", "direction",
                "Headers and payloads of messages between machines"},
    family_info{"penstock_link_messages_total", "counter", "direction", "Messages between machines"},
    family_info{"penstock_link_refused_total", "counter", "reason",
                "What links did not take: messages for a peer whose queue is full, messages that are not of the "
                "protocol, connections with a key that is not listed or that ended before they said anything (early)"},
    family_info{"penstock_link_lost_connections_total", "counter", "", "Connections that ended or were given up"},
    family_info{"penstock_http_connections", "gauge", "", "Open connections at the HTTP door"},
    family_info{"penstock_http_requests_total", "counter", "route,method,status", "Requests answered"},
    family_info{"penstock_http_request_duration_seconds", "histogram", "route,method",
                "From a request's last header to the last byte of its answer; streams of events, previews and results "
                "are not in it"},
    family_info{"penstock_http_refused_total", "counter", "reason", "Requests and connections turned away at the door"},
    family_info{"penstock_http_body_bytes_total", "counter", "direction", "Bytes of bodies"},
    family_info{"penstock_http_event_readers", "gauge", "", "Readers of /v1/events"},
    family_info{"penstock_http_preview_viewers", "gauge", "", "Viewers of previews"},
    family_info{"penstock_http_lost_events_total", "counter", "", "Events that slow readers missed"},
    family_info{"penstock_http_certificate_failures_total", "counter", "",
                "Changed certificates that could not be used; the one before stays"},
    family_info{"penstock_jobs_queued", "gauge", "", "Durable jobs that wait, when they were last looked over"},
    family_info{"penstock_jobs_running", "gauge", "", "Durable jobs that this process works on"},
    family_info{"penstock_jobs_accepted_total", "counter", "", "Jobs accepted at this process's door"},
    family_info{
        "penstock_jobs_attempts_total", "counter", "end",
        "Attempts of this process that ended: done, failed, cancelled, given_back, or its lease went to another "
        "(lost)"},
    family_info{"penstock_jobs_expired_leases_total", "counter", "",
                "Leases that this process found run out: of workers that died or hung, its own or others'"},
    family_info{"penstock_jobs_dead_total", "counter", "reason",
                "Jobs that became dead letters: their input cannot be worked on (the error's name), their attempts are "
                "used up (attempts), their workers were lost too often (lost)"},
    family_info{"penstock_jobs_duration_seconds", "histogram", "", "From a job's acceptance to its result"},
    family_info{
        "penstock_worker_state", "gauge", "role,state",
        "1 for where this worker is in its life, as it says itself: it loads its model (warming), works (ready), "
        "or takes nothing new (draining)"},
    family_info{"penstock_pool_arrived_items_total", "counter", "role",
                "Frames of live streams and pictures of requests that came for workers, whatever became of them"},
    family_info{"penstock_pool_finished_items_total", "counter", "role",
                "Items that workers finished, also those of files and jobs",
                "what the role's last stage has done, summed over all its workers as they tell it"},
    family_info{
        "penstock_pool_late_items_total", "counter", "role",
        "Items that came and had no result within the objective (`scaling.objective`): delivered later (a request also "
        "after its own deadline), or given up because there was no room (shed, past their deadline, refused as "
        "overload)"},
    family_info{"penstock_pool_arrival_rate_items_per_second", "gauge", "role", "How fast items come",
                "arrived items of the window / window"},
    family_info{"penstock_pool_service_rate_items_per_second", "gauge", "role",
                "True processing rate: what one worker finishes in a second of work. The last that was known while "
                "nothing is done; 0 before",
                "items finished by ready workers in the window / (utilisation of the role's busiest resource × seconds "
                "that they were ready)"},
    family_info{
        "penstock_pool_utilisation_ratio", "gauge", "role,stage",
        "Busy share of ready workers' time. Stages on the same resource share it, so it is their sum that ends at "
        "1",
        "busy seconds of the stage in the window / Σ over ready workers (seconds × cores, or × lanes for a stage "
        "on a device)"},
    family_info{"penstock_pool_worker_utilisation_ratio", "gauge", "role",
                "Busy share of ready workers' busiest resource",
                "Σ over the stages on the resource of their utilisation; of the resources (cores; lanes of the device) "
                "the largest"},
    family_info{"penstock_pool_bottleneck", "gauge", "role,stage",
                "1 for the stage that a faster worker would have to do faster, else 0",
                "of the resource (cores; lanes of the device) with the highest Σ of its stages' utilisation the stage "
                "with the largest part"},
    family_info{"penstock_pool_backlog_items", "gauge", "role",
                "Items that wait for a worker, and what finite files and queued jobs still have",
                "frames and pictures read and not given to a worker + Σ over finite lossless streams (frames of the "
                "source, estimated, - frames read) × share that is not sampled out + queued jobs × mean items of the "
                "jobs done so far"},
    family_info{"penstock_pool_backlog_of_jobs_items", "gauge", "role",
                "Of the backlog, what queued jobs have. Heads with the same queue each show all of it",
                "queued jobs × mean items of the jobs done so far"},
    family_info{"penstock_pool_backlog_seconds", "gauge", "role", "Time in which ready workers would do the backlog",
                "backlog items / (ready workers × service rate); +Inf where nobody works or the rate is not known"},
    family_info{"penstock_pool_oldest_waiting_seconds", "gauge", "role",
                "Age of the oldest item that was read and not given to a worker"},
    family_info{
        "penstock_pool_headroom_streams", "gauge", "role", "Live streams that would still find a place",
        "least of: places for live streams that ready workers have free; (ready workers × service rate - arrival "
        "rate) / mean rate of a live stream; whole, at least 0"},
    family_info{"penstock_pool_live_streams", "gauge", "role", "Live streams that need a place, whatever their rate"},
    family_info{"penstock_pool_streams_per_worker", "gauge", "role",
                "Places for live streams of one ready worker; 0: not known, or no bound"},
    family_info{
        "penstock_pool_workers", "gauge", "role,state",
        "Workers by where they are in their life: asked for and not heard yet (joining; told by who scales "
        "them), loading their model (warming), ready, draining, gone without a word (lost; for five minutes, or "
        "until they are back)"},
    family_info{"penstock_pool_wanted_workers", "gauge", "role", "What scaling last wanted"},
    family_info{"penstock_scaling_decisions_total", "counter", "role,action",
                "Decisions: more workers (out), fewer (in), as many (hold), none because signals are missing (frozen)"},
    family_info{"penstock_scaling_frozen", "gauge", "role",
                "1 while signals are missing or stale, so that nothing is changed"},
    family_info{"penstock_scaling_errors_total", "counter", "role,part",
                "What went wrong with signals (source), policies (policy), instances (fleet)"},
    family_info{"penstock_scaling_direction_changes_total", "counter", "role",
                "Decisions for more workers that follow one for fewer, and the other way round"},
};

const family_info& info_of(std::string_view name) {
  for (const auto& family : all_families) {
    if (family.name == name) return family;
  }
  throw std::logic_error{"metric family not listed: " + std::string{name}};
}

const prometheus::Histogram::BucketBoundaries& latency_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
                                                               0.3,   0.5,   0.75,  1,    1.5,  2,    5,   10};
  return buckets;
}

const prometheus::Histogram::BucketBoundaries& duration_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005,
                                                               0.01,   0.02,   0.05,   0.1,   0.2,   0.5};
  return buckets;
}

const prometheus::Histogram::BucketBoundaries& batch_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{1, 2, 4, 8, 16, 32, 64, 128};
  return buckets;
}

const prometheus::Histogram::BucketBoundaries& job_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{1,   2,   5,    10,   20,   60,    120,
                                                               300, 600, 1800, 3600, 7200, 21600, 86400};
  return buckets;
}

} // namespace

std::string_view to_string(worker_state s) noexcept {
  switch (s) {
  case worker_state::joining: return "joining";
  case worker_state::warming: return "warming";
  case worker_state::ready: return "ready";
  case worker_state::draining: return "draining";
  case worker_state::lost: return "lost";
  }
  return "unknown";
}

std::span<const family_info> families() noexcept { return all_families; }

std::string unit_of(const family_info& family) {
  constexpr std::array<std::string_view, 13> words{"seconds", "bytes",    "ratio",   "frames", "items",
                                                   "packets", "segments", "results", "images", "messages",
                                                   "streams", "workers",  "requests"};
  auto name = family.name;
  if (name.ends_with("_total")) name.remove_suffix(6);
  if (name.ends_with("_items_per_second")) return "items/s";
  for (const auto word : words)
    if (name.ends_with(word) && name[name.size() - word.size() - 1] == '_') return std::string{word};
  return "1";
}

struct registry::impl {
  std::size_t max_streams;
  std::shared_ptr<prometheus::Registry> store = std::make_shared<prometheus::Registry>();
  std::mutex mutex; ///< guards `named_streams` only
  std::set<std::string> named_streams;

  counter make_counter(std::string_view name, const labels& with = {}) const {
    return counter{&prometheus::BuildCounter()
                        .Name(std::string{name})
                        .Help(std::string{info_of(name).help})
                        .Register(*store)
                        .Add(with)};
  }
  gauge make_gauge(std::string_view name, const labels& with = {}) const {
    return gauge{&prometheus::BuildGauge()
                      .Name(std::string{name})
                      .Help(std::string{info_of(name).help})
                      .Register(*store)
                      .Add(with)};
  }
  histogram make_histogram(std::string_view name, const prometheus::Histogram::BucketBoundaries& buckets,
                           const labels& with = {}) const {
    return histogram{&prometheus::BuildHistogram()
                          .Name(std::string{name})
                          .Help(std::string{info_of(name).help})
                          .Register(*store)
                          .Add(with, buckets)};
  }

  std::string bounded_name(const std::string& name) {
    const std::lock_guard lock{mutex};
    if (named_streams.contains(name)) return name;
    if (named_streams.size() >= max_streams) return "other";
    named_streams.insert(name);
    return name;
  }
};

registry::registry(std::size_t max_streams) : impl_{std::make_unique<impl>()} { impl_->max_streams = max_streams; }
registry::~registry() = default;

stream_series registry::stream(const std::string& name) {
  const labels with{{"stream", impl_->bounded_name(name)}};
  stream_series series;
  series.received = impl_->make_counter("penstock_stream_received_frames_total", with);
  series.delivered = impl_->make_counter("penstock_stream_delivered_frames_total", with);
  for (auto reason : core::all_drop_reasons) {
    auto both = with;
    both.emplace("reason", std::string{core::to_string(reason)});
    series.dropped[static_cast<std::size_t>(reason)] =
        impl_->make_counter("penstock_stream_dropped_frames_total", both);
  }
  series.in_flight = impl_->make_gauge("penstock_stream_in_flight_frames", with);
  series.grants = impl_->make_gauge("penstock_stream_source_credit_packets", with);
  series.reconnects = impl_->make_counter("penstock_stream_reconnects_total", with);
  series.objects = impl_->make_counter("penstock_stream_objects_total", with);
  series.latency = impl_->make_histogram("penstock_stream_latency_seconds", latency_buckets(), with);
  return series;
}

stage_series registry::stage_of(stage s) {
  const labels with{{"stage", std::string{to_string(s)}}};
  stage_series series;
  series.busy = impl_->make_counter("penstock_stage_busy_seconds_total", with);
  series.items = impl_->make_counter("penstock_stage_items_total", with);
  series.duration = impl_->make_histogram("penstock_stage_duration_seconds", duration_buckets(), with);
  series.queue = impl_->make_gauge("penstock_stage_queue_items", with);
  series.credit = impl_->make_gauge("penstock_stage_credit_items", with);
  return series;
}

inference_series registry::inference() {
  return {impl_->make_histogram("penstock_inference_batch_images", batch_buckets()),
          impl_->make_counter("penstock_inference_failures_total")};
}

dispatch_series registry::dispatch() {
  dispatch_series series;
  series.leases = impl_->make_counter("penstock_dispatch_leases_total");
  series.lease_failures = impl_->make_counter("penstock_dispatch_lease_failures_total");
  series.quarantined = impl_->make_counter("penstock_dispatch_quarantined_segments_total");
  series.quarantine_refused = impl_->make_counter("penstock_dispatch_quarantine_refused_segments_total");
  series.duplicates = impl_->make_counter("penstock_dispatch_duplicate_results_total");
  const auto ignored = [this](const char* reason) {
    return impl_->make_counter("penstock_dispatch_ignored_reports_total", {{"reason", reason}});
  };
  series.stale_reports = ignored("stale");
  series.reports_not_held = ignored("not_held");
  series.results_not_sent = ignored("not_sent");
  series.excess_credit = ignored("excess_credit");
  series.late_reports = ignored("late");
  series.waiting = impl_->make_gauge("penstock_dispatch_waiting_segments");
  series.waiting_requests = impl_->make_gauge("penstock_dispatch_waiting_requests");
  series.workers = impl_->make_gauge("penstock_dispatch_workers");
  return series;
}

sink_series registry::sink(const std::string& kind) {
  const labels with{{"sink", kind}};
  return {impl_->make_counter("penstock_sink_written_results_total", with),
          impl_->make_counter("penstock_sink_failed_results_total", with),
          impl_->make_gauge("penstock_sink_queue_results", with)};
}

link_series registry::links() {
  const auto of = [this](std::string_view family, const char* label, const char* value) {
    return impl_->make_counter(family, {{label, value}});
  };
  link_series series;
  series.sent_bytes = of("penstock_link_bytes_total", "direction", "sent");
  series.received_bytes = of("penstock_link_bytes_total", "direction", "received");
  series.sent_messages = of("penstock_link_messages_total", "direction", "sent");
  series.received_messages = of("penstock_link_messages_total", "direction", "received");
  series.refused_full = of("penstock_link_refused_total", "reason", "full");
  series.refused_messages = of("penstock_link_refused_total", "reason", "message");
  series.refused_keys = of("penstock_link_refused_total", "reason", "key");
  series.refused_early = of("penstock_link_refused_total", "reason", "early");
  series.lost = impl_->make_counter("penstock_link_lost_connections_total");
  return series;
}

http_series registry::http() {
  http_series series;
  series.connections = impl_->make_gauge("penstock_http_connections");
  series.received_bytes = impl_->make_counter("penstock_http_body_bytes_total", {{"direction", "received"}});
  series.sent_bytes = impl_->make_counter("penstock_http_body_bytes_total", {{"direction", "sent"}});
  series.event_readers = impl_->make_gauge("penstock_http_event_readers");
  series.preview_viewers = impl_->make_gauge("penstock_http_preview_viewers");
  series.lost_events = impl_->make_counter("penstock_http_lost_events_total");
  series.certificate_failures = impl_->make_counter("penstock_http_certificate_failures_total");
  return series;
}

counter registry::http_requests(const std::string& route, const std::string& method, int status) {
  return impl_->make_counter("penstock_http_requests_total",
                             {{"route", route}, {"method", method}, {"status", std::to_string(status)}});
}

histogram registry::http_duration(const std::string& route, const std::string& method) {
  return impl_->make_histogram("penstock_http_request_duration_seconds", latency_buckets(),
                               {{"route", route}, {"method", method}});
}

counter registry::http_refused(const std::string& reason) {
  return impl_->make_counter("penstock_http_refused_total", {{"reason", reason}});
}

job_series registry::jobs() {
  job_series series;
  series.queued = impl_->make_gauge("penstock_jobs_queued");
  series.running = impl_->make_gauge("penstock_jobs_running");
  series.accepted = impl_->make_counter("penstock_jobs_accepted_total");
  const auto ended = [this](const char* end) {
    return impl_->make_counter("penstock_jobs_attempts_total", {{"end", end}});
  };
  series.done = ended("done");
  series.failed = ended("failed");
  series.cancelled = ended("cancelled");
  series.given_back = ended("given_back");
  series.lost = ended("lost");
  series.expired = impl_->make_counter("penstock_jobs_expired_leases_total");
  series.duration = impl_->make_histogram("penstock_jobs_duration_seconds", job_buckets());
  return series;
}

counter registry::jobs_dead(const std::string& reason) {
  return impl_->make_counter("penstock_jobs_dead_total", {{"reason", reason}});
}

pool_series registry::pool(const std::string& role, std::span<const stage> stages) {
  const labels with{{"role", role}};
  pool_series series;
  series.arrived = impl_->make_counter("penstock_pool_arrived_items_total", with);
  series.finished = impl_->make_counter("penstock_pool_finished_items_total", with);
  series.late = impl_->make_counter("penstock_pool_late_items_total", with);
  series.arrival_rate = impl_->make_gauge("penstock_pool_arrival_rate_items_per_second", with);
  series.service_rate = impl_->make_gauge("penstock_pool_service_rate_items_per_second", with);
  for (const auto s : stages) {
    const labels both{{"role", role}, {"stage", std::string{to_string(s)}}};
    series.utilisation[static_cast<std::size_t>(s)] = impl_->make_gauge("penstock_pool_utilisation_ratio", both);
    series.bottleneck[static_cast<std::size_t>(s)] = impl_->make_gauge("penstock_pool_bottleneck", both);
  }
  series.worker_utilisation = impl_->make_gauge("penstock_pool_worker_utilisation_ratio", with);
  series.backlog = impl_->make_gauge("penstock_pool_backlog_items", with);
  series.backlog_of_jobs = impl_->make_gauge("penstock_pool_backlog_of_jobs_items", with);
  series.backlog_seconds = impl_->make_gauge("penstock_pool_backlog_seconds", with);
  series.oldest = impl_->make_gauge("penstock_pool_oldest_waiting_seconds", with);
  series.headroom = impl_->make_gauge("penstock_pool_headroom_streams", with);
  series.live_streams = impl_->make_gauge("penstock_pool_live_streams", with);
  series.streams_per_worker = impl_->make_gauge("penstock_pool_streams_per_worker", with);
  for (const auto s : all_worker_states) {
    series.workers[static_cast<std::size_t>(s)] =
        impl_->make_gauge("penstock_pool_workers", {{"role", role}, {"state", std::string{to_string(s)}}});
  }
  return series;
}

scaling_series registry::scaling(const std::string& role) {
  const auto labelled = [&](std::string_view family, const char* label, const char* value) {
    return impl_->make_counter(family, {{"role", role}, {label, value}});
  };
  scaling_series series;
  series.wanted = impl_->make_gauge("penstock_pool_wanted_workers", {{"role", role}});
  series.joining = impl_->make_gauge("penstock_pool_workers",
                                     {{"role", role}, {"state", std::string{to_string(worker_state::joining)}}});
  series.out = labelled("penstock_scaling_decisions_total", "action", "out");
  series.in = labelled("penstock_scaling_decisions_total", "action", "in");
  series.hold = labelled("penstock_scaling_decisions_total", "action", "hold");
  series.frozen_decisions = labelled("penstock_scaling_decisions_total", "action", "frozen");
  series.frozen = impl_->make_gauge("penstock_scaling_frozen", {{"role", role}});
  series.source_errors = labelled("penstock_scaling_errors_total", "part", "source");
  series.policy_errors = labelled("penstock_scaling_errors_total", "part", "policy");
  series.fleet_errors = labelled("penstock_scaling_errors_total", "part", "fleet");
  series.direction_changes = impl_->make_counter("penstock_scaling_direction_changes_total", {{"role", role}});
  return series;
}

phase_series registry::worker_phase(const std::string& role) {
  phase_series series;
  for (const auto p : core::all_worker_phases) {
    series[static_cast<std::size_t>(p)] =
        impl_->make_gauge("penstock_worker_state", {{"role", role}, {"state", std::string{to_string(p)}}});
  }
  return series;
}

void registry::set_build_info(const std::string& version) {
  impl_->make_gauge("penstock_build_info", {{"version", version}}).set(1);
}

void registry::set_model_info(const std::string& model, const std::string& digest, const std::string& engine,
                              const std::string& device) {
  impl_
      ->make_gauge("penstock_model_info",
                   {{"model", model}, {"digest", digest}, {"engine", engine}, {"device", device}})
      .set(1);
}

std::string registry::expose() const { return prometheus::TextSerializer{}.Serialize(impl_->store->Collect()); }

} // namespace penstock::metrics
