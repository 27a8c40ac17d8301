#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/worker_figures.hpp"
#include "metrics/instruments.hpp"

namespace penstock::metrics {

using core::all_stages;
using core::stage; ///< as the label `stage` names them
using core::to_string;

/// Where a worker is in its life, as the label `state` of a pool names it. `joining`: its instance boots or its process
/// starts, and it has not been heard; `lost`: it went without a word.
enum class worker_state : unsigned char { joining, warming, ready, draining, lost };

inline constexpr std::array all_worker_states{worker_state::joining, worker_state::warming, worker_state::ready,
                                              worker_state::draining, worker_state::lost};

[[nodiscard]] std::string_view to_string(worker_state s) noexcept;

/// One metric family as documents list it.
struct family_info {
  std::string_view name;
  std::string_view type;         ///< counter, gauge or histogram
  std::string_view labels;       ///< comma-separated
  std::string_view help;         ///< meaning
  std::string_view formula = ""; ///< of signals: how it is computed
};

/// Unit of a family, as its name says it: `seconds`, `bytes`, `items/s`, …; `1` for what is counted in nothing else.
[[nodiscard]] std::string unit_of(const family_info& family);

/// Every family this program exports, in the order of the exposition.
[[nodiscard]] std::span<const family_info> families() noexcept;

/// The series of one stream. Default-constructed ones record nothing.
struct stream_series {
  counter received;
  counter delivered;
  std::array<counter, core::drop_reason_count> dropped; ///< by `core::drop_reason`
  gauge in_flight;
  gauge grants; ///< packets that the source may still read (lossless streams)
  counter reconnects;
  counter objects;
  histogram latency; ///< capture → result delivered, in seconds
};

/// The series of one stage.
struct stage_series {
  counter busy; ///< seconds spent working
  counter items;
  histogram duration; ///< seconds for one item
  gauge queue;        ///< items waiting
  gauge credit;       ///< items it may still be sent
};

/// The series of inference as a whole.
struct inference_series {
  histogram batch;  ///< images in a batch
  counter failures; ///< batches the engine failed on
};

/// The series of the dispatcher.
struct dispatch_series {
  counter leases;
  counter lease_failures;
  counter quarantined;
  counter quarantine_refused; ///< of them, those not kept for inspection
  counter duplicates;         ///< results that came twice or too late
  counter stale_reports;      ///< of an earlier life of the head
  counter reports_not_held;   ///< of segments that the worker does not hold any more
  counter results_not_sent;   ///< of frames that nobody was sent
  counter excess_credit;      ///< beyond what a worker declared
  counter late_reports;       ///< results and ends by workers that were given up
  gauge waiting;              ///< segments that no worker holds
  gauge waiting_requests;
  gauge workers;
};

/// The series of one sink.
struct sink_series {
  counter written;
  counter failed;
  gauge queue;
};

/// The series of the links to other machines.
struct link_series {
  counter sent_bytes;
  counter received_bytes;
  counter sent_messages;
  counter received_messages;
  counter refused_full; ///< messages for peers that took nothing
  counter refused_messages;
  counter refused_keys;
  counter refused_early; ///< connections that ended before a message
  counter lost;          ///< connections that ended without a word
};

/// The series of the HTTP door. Requests have series of their own (`registry::http_requests`,
/// `registry::http_duration`).
struct http_series {
  gauge connections;
  counter received_bytes; ///< of bodies
  counter sent_bytes;     ///< of bodies
  gauge event_readers;
  gauge preview_viewers;
  counter lost_events; ///< that slow readers missed
  counter certificate_failures;
};

/// The series of durable jobs.
struct job_series {
  gauge queued;
  gauge running; ///< in this process
  counter accepted;
  counter done;
  counter failed;
  counter cancelled;
  counter given_back;
  counter lost;
  counter expired;    ///< leases of whatever process that had run out
  histogram duration; ///< acceptance → done, in seconds
};

/// The signals of one role of workers, as its head sees them. See docs/metrics.md.
struct pool_series {
  counter arrived;
  counter finished;
  counter late;
  gauge arrival_rate;
  gauge service_rate;
  std::array<gauge, all_stages.size()> utilisation; ///< by `stage`; those the role does not run record nothing
  std::array<gauge, all_stages.size()> bottleneck;  ///< likewise
  gauge worker_utilisation;
  gauge backlog;
  gauge backlog_of_jobs;
  gauge backlog_seconds;
  gauge oldest;
  gauge headroom;
  gauge live_streams;
  gauge streams_per_worker;
  std::array<gauge, all_worker_states.size()> workers; ///< by `worker_state`
};

/// What decides how many workers of a role there are.
struct scaling_series {
  gauge wanted;
  gauge joining; ///< of the pool's workers
  counter out;   ///< decisions, by what was done
  counter in;
  counter hold;
  counter frozen_decisions;
  gauge frozen;
  counter source_errors;
  counter policy_errors;
  counter fleet_errors;
  counter direction_changes;
};

/// Where this process is as a worker: by `core::worker_phase`, 1 for the present one.
using phase_series = std::array<gauge, core::all_worker_phases.size()>;

/// All metrics of the process: makes series by name, renders the text exposition. Thread-safe. At most `max_streams`
/// streams have their own series; the rest share the label `other`, so that a scrape stays bounded.
class registry {
 public:
  explicit registry(std::size_t max_streams = 1000);
  ~registry();
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;

  [[nodiscard]] stream_series stream(const std::string& name);
  [[nodiscard]] stage_series stage_of(stage s);
  [[nodiscard]] inference_series inference();
  [[nodiscard]] dispatch_series dispatch();
  [[nodiscard]] sink_series sink(const std::string& kind);
  [[nodiscard]] link_series links();
  [[nodiscard]] http_series http();
  /// `route` is a pattern such as `/v1/jobs/{id}`, never a path that a client made up.
  [[nodiscard]] counter http_requests(const std::string& route, const std::string& method, int status);
  [[nodiscard]] histogram http_duration(const std::string& route, const std::string& method);
  [[nodiscard]] counter http_refused(const std::string& reason);

  [[nodiscard]] job_series jobs();
  /// `reason`: why a job is dead, of a fixed set of words.
  [[nodiscard]] counter jobs_dead(const std::string& reason);

  /// Roles are those of the topology. `stages`: those that the role runs.
  [[nodiscard]] pool_series pool(const std::string& role, std::span<const stage> stages);
  [[nodiscard]] scaling_series scaling(const std::string& role);
  [[nodiscard]] phase_series worker_phase(const std::string& role);

  /// Records what is running, as `penstock_build_info` and `penstock_model_info` (value 1, facts in labels).
  void set_build_info(const std::string& version);
  void set_model_info(const std::string& model, const std::string& digest, const std::string& engine,
                      const std::string& device);

  /// The Prometheus text format 0.0.4.
  [[nodiscard]] std::string expose() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::metrics
