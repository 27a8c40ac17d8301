#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/account.hpp"
#include "actors/ack_book.hpp"
#include "actors/asks.hpp"
#include "actors/checkpoint_writer.hpp"
#include "actors/head_observer.hpp"
#include "actors/pools.hpp"
#include "actors/preview.hpp"
#include "actors/push_messages.hpp"
#include "actors/quarantine.hpp"
#include "actors/recent.hpp"
#include "actors/run_report.hpp"
#include "actors/sink.hpp"
#include "actors/source.hpp"
#include "actors/stage_figures.hpp"
#include "actors/worker.hpp"
#include "actors/worker_gate.hpp"
#include "dispatch/head.hpp"
#include "metrics/families.hpp"
#include "topology/config.hpp"
#include "topology/expand.hpp"
#include "tracking/tracker.hpp"

namespace penstock::actors {

/// The stages are there: open the streams. `watched` must live as long as the program does.
struct head_start {
  std::map<core::worker_id, worker_actor> workers; ///< of this process
  std::vector<caf::strong_actor_ptr> watched;
  worker_gate_actor gate{}; ///< where workers on other machines join; null where none do
  push_gate_actor pushes{}; ///< where programs push video; null where none may
  figures_source figures{}; ///< of the stages of this process
};

/// So many durable jobs wait for somebody to work on them.
struct jobs_waiting {
  std::uint64_t jobs = 0;
};

/// Stop reading, finish what was read for at most `grace`, drop the rest (`shutdown`).
struct head_shutdown {
  std::chrono::microseconds grace{0};
};

struct head_tick {};

/// The dispatcher and collector of a process: the pure core of `dispatch/` with sources, workers and sinks attached.
using head_actor =
    caf::typed_actor<caf::reacts_to<head_start>, caf::reacts_to<head_shutdown>, caf::reacts_to<head_tick>,
                     caf::reacts_to<worker_hello>, caf::reacts_to<worker_credit>, caf::reacts_to<frame_outcomes>,
                     caf::reacts_to<segment_done>, caf::reacts_to<segment_failed>, caf::reacts_to<source_opened>,
                     caf::reacts_to<source_packets>, caf::reacts_to<source_trouble>, caf::reacts_to<source_ended>,
                     caf::reacts_to<push_opening>, caf::reacts_to<sink_ack>, caf::reacts_to<sink_closed>,
                     caf::reacts_to<sink_resumed>, caf::reacts_to<worker_joined>, caf::reacts_to<worker_alive>,
                     caf::reacts_to<worker_leaving>, caf::reacts_to<machine_seen>, caf::reacts_to<machine_gone>,
                     caf::reacts_to<jobs_waiting>, caf::reacts_to<worker_gone>, caf::reacts_to<worker_returned>,
                     caf::reacts_to<picture_ask>, caf::reacts_to<picture_gone>, caf::reacts_to<guest_ask>,
                     caf::reacts_to<guest_leave>, caf::reacts_to<preview_ask>, caf::reacts_to<preview_taken>,
                     caf::reacts_to<preview_over>>;

/// The latest report, for whoever wants to look from another thread.
class report_board {
 public:
  void put(run_report report) {
    const std::lock_guard lock{mutex_};
    report_ = std::move(report);
  }
  [[nodiscard]] run_report get() const {
    const std::lock_guard lock{mutex_};
    return report_;
  }

 private:
  mutable std::mutex mutex_;
  run_report report_;
};

struct head_config {
  topology::config topology;
  std::vector<topology::stream_source> streams;
  std::shared_ptr<const std::vector<std::string>> labels;
  media::decode_options decode; ///< of sinks that need frames
  std::uint32_t epoch = 0;
  std::shared_ptr<checkpoint_writer> checkpoint{}; ///< null: none is kept
  std::vector<stream_progress> progress{};         ///< of each stream, in earlier lives; empty without a checkpoint
  std::string role{};                              ///< of this process; empty: it runs the whole topology
  std::shared_ptr<metrics::registry> metrics;
  std::shared_ptr<report_board> board;
  bool ingest_any = false;                                       ///< programs may push streams of any name, …
  std::size_t ingest_streams = 0;                                ///< … but no more than these
  std::vector<std::shared_ptr<transport::publisher>> publishers; ///< by number of the sink; null where it has none
  bool door = false;                                             ///< pictures and guests may come while it runs
  bool stays = false;                                            ///< goes on when every stream has finished
  double preview_fps = 10;                                       ///< pictures a second for those who watch a stream
  head_observer observer{};                                      ///< is told what happens
  std::function<void()> on_finished; ///< every stream has finished; the board holds the last report
};

/// What the sinks have been sent of a segment, so that they can find its frames.
struct forwarded_segment {
  core::codec_ptr codec;
  std::uint32_t next = 0; ///< ordinal; a second lease sends the first ones again
};

/// What a stream's checkpoint needs to know besides what the core says.
struct checkpoint_notes {
  stream_progress progress;
  std::map<std::uint64_t, std::uint64_t> emitted; ///< by segment: one past its last frame that sinks were given
  std::size_t sinks_unheard = 0;                  ///< going on: sinks that have not said where
  std::optional<std::uint64_t> sinks_next;        ///< going on: where the sink is that has the fewest frames
  bool sinks_wrote = false;                       ///< sinks have something of this stream, not of an older file
  bool source_done = false;                       ///< the source came to its end by itself
};

/// One stream of a head.
struct head_stream {
  topology::stream_source source;
  stream_report report;
  std::stop_source stop;
  source_actor reader;
  std::unique_ptr<tracking::tracker> tracker;
  std::vector<sink_actor> sinks;
  std::vector<sink_config> sink_configs;
  bool needs_frames = false; ///< one of the sinks does
  std::size_t sinks_open = 0;
  core::codec_ptr codec; ///< of its first packets
  checkpoint_notes notes;
  bool ended = false; ///< no more packets are taken from the source
  ack_book acks{0};
  sink_results group; ///< collected for the sinks while actions are carried out
  std::map<std::uint64_t, forwarded_segment> forwarded;
  metrics::stream_series series;
  std::map<std::uint64_t, std::vector<std::string>> failures; ///< by segment, what its workers said
  dispatch::ledger exported;                                  ///< what the metrics say
  bool keeps_notes = false;                                   ///< its progress is noted for another life
  bool guest = false;                                         ///< forgotten once it has finished
  std::shared_ptr<guest_output> output;                       ///< of a guest with a sink of its own
  recent_rate rate;
  recent_latency latency;
  std::optional<preview_feed> preview;
};

/// A picture that somebody waits for: a stream of one packet.
struct picture_request {
  picture_ask ask;
  std::optional<core::frame_result> result;
  bool gone = false; ///< nobody waits any more
};

/// What the head knows of a worker, for people.
struct known_worker {
  worker_actor handle;
  std::string name;
  std::vector<std::string> stages;
  std::uint32_t bulk_segments = 0;
  std::uint32_t live_streams = 0;
  std::string role;
  std::string metrics;
  core::worker_phase phase = core::worker_phase::ready;
  core::time_point heard{};
};

/// A machine that takes no leases, or not yet.
struct known_machine {
  machine_seen seen;
  core::time_point heard{};
};

/// What came for workers whatever is done with it, and what is known of it for signals.
struct demand {
  dispatch::pool_counts counts;
  metrics::counter refused; ///< requests that the door refused because the wait would have been too long
  double refused_before = 0;
  std::uint64_t jobs_waiting = 0;
  std::uint64_t jobs_done = 0;
  std::uint64_t items_of_jobs = 0; ///< of those
};

class head_state {
 public:
  static inline const char* name = "head";

  void configure(head_actor::pointer self, const head_config& config);

  void start(const head_start& message);
  void shut_down(const head_shutdown& message);
  void tick();
  void worker_ended(const caf::down_msg& down);

  void on(const worker_hello& message);
  void on(const worker_credit& message);
  void on(const frame_outcomes& message);
  void on(const segment_done& message);
  void on(const segment_failed& message);
  void on(const push_opening& message);
  void on(const source_opened& message);
  void on(const source_packets& message);
  void on(const source_trouble& message);
  void on(const source_ended& message);
  void on(const sink_ack& message);
  void on(const sink_closed& message);
  void on(const sink_resumed& message);
  void on(const worker_joined& message);
  void on(const worker_alive& message);
  void on(const worker_leaving& message);
  void on(const machine_seen& message);
  void on(const machine_gone& message);
  void on(const jobs_waiting& message);
  void on(const worker_gone& message);
  void on(const worker_returned& message);
  void on(const picture_ask& message);
  void on(const picture_gone& message);
  void on(const guest_ask& message);
  void on(const guest_leave& message);
  void on(const preview_ask& message);
  void on(const preview_taken& message);
  void on(const preview_over& message);

 private:
  using streams = std::map<core::stream_id, head_stream>;

  [[nodiscard]] head_stream& stream_of(core::stream_id id) { return streams_.at(id); }
  /// Null for pictures, and for streams that are gone.
  [[nodiscard]] head_stream* find_stream(core::stream_id id) {
    const auto at = streams_.find(id);
    return at == streams_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] core::stream_id next_id();
  head_stream& new_stream(core::stream_id id, const topology::stream_source& source, const std::string& series);
  [[nodiscard]] dispatch::stream_config core_config(const head_stream& stream, core::codec_ptr codec) const;
  [[nodiscard]] static bool is_pushed(const head_stream& stream) {
    return stream.source.kind == topology::source_kind::pushed;
  }
  [[nodiscard]] streams::iterator stream_named(const std::string& id);
  void configure_pushes();
  [[nodiscard]] core::expected<core::stream_id> admit(const push_opening& message);
  void open_waiting();
  void finish_if_done();
  void abandon();
  void open_source(core::stream_id id, head_stream& stream);
  void open_sinks(core::stream_id id, head_stream& stream, const core::codec_description& codec);
  void begin(core::stream_id id, head_stream& stream); ///< its packets may come
  void begin_closing(core::stream_id id, head_stream& stream);
  void finish_stream(core::stream_id id, head_stream& stream);
  void note_failure(const segment_failed& message);
  [[nodiscard]] bool left_to_next_life(core::stream_id id, const head_stream& stream) const;
  void note_finished(head_stream& stream);
  void save_checkpoint();
  void open_output(core::stream_id id, head_stream& stream); ///< of a guest
  void tell_worker(core::worker_id worker, std::string_view what) const;
  void note_latencies(head_stream& stream, const std::vector<core::time_point>& captured, core::time_point now);
  void export_metrics(); ///< also brings the reports' ledgers up to date
  void export_stream(core::stream_id id, head_stream& stream);
  void publish();

  void configure_signals();
  void note_fate(core::seconds took);            ///< of an item that came whatever was done with it
  void note_arrivals(const head_stream& stream); ///< since they were last exported
  void note_refused();
  void note_job(const head_stream& stream);
  [[nodiscard]] double items_of_queued_jobs() const;
  [[nodiscard]] double items_to_come() const; ///< that finite sources still have
  void measure_pools(const dispatch::waiting_load& waiting);
  void forget_machine(const std::string& called);

  void answer_picture(core::stream_id id);
  void forget_guests();
  void close_preview(head_stream& stream);
  [[nodiscard]] bool emit_picture(dispatch::emit& action);

  void carry_out();
  void apply(dispatch::send_open& action);
  void apply(dispatch::send_packet& action);
  void forward_packet(head_stream& stream, const dispatch::send_packet& action);
  void apply(dispatch::send_close& action);
  void apply(dispatch::revoke& action);
  void apply(dispatch::grant& action);
  void apply(dispatch::quarantine& action);
  void apply(dispatch::worker_expired& action);
  void apply(dispatch::emit& action);
  void apply(dispatch::checkpoint& action);
  void apply(dispatch::source_changed& action);
  void apply(dispatch::stream_finished& action);
  void flush_packets();
  void flush_groups();

  head_actor::pointer self_ = nullptr;
  head_config config_;
  std::optional<dispatch::head> core_;
  dispatch::head::actions actions_;
  streams streams_; ///< ids are given once
  std::unordered_map<std::string, core::stream_id> names_;
  std::uint32_t last_id_ = 0;
  std::unordered_map<std::uint32_t, picture_request> pictures_;    ///< by stream id
  std::unordered_map<std::uint64_t, core::stream_id> picture_ids_; ///< by ticket
  account pictures_ledger_;                                        ///< of all pictures
  account guests_ledger_;                                          ///< of the guests that are forgotten
  std::map<std::string, core::stream_id> pushed_;                  ///< by the name that producers open
  std::size_t pushed_by_others_ = 0;                               ///< streams that no topology names
  std::size_t sinks_with_threads_ = 0;
  std::map<core::worker_id, known_worker> workers_;
  std::map<core::worker_id, known_machine> machines_;
  figures_source figures_; ///< of the stages of this process
  std::optional<pools> pools_;
  std::vector<pool_report> measured_;
  demand demand_;
  core::seconds objective_{1};
  std::vector<core::worker_id> local_; ///< those of this process, which are watched instead of heard
  worker_gate_actor gate_;
  push_gate_actor pushes_;
  worker_actor packets_to_; ///< where `packets_` go
  segment_packets packets_; ///< consecutive packets of one segment, sent in one message
  std::vector<core::stream_id> touched_;
  std::unique_ptr<quarantine_writer> quarantine_;
  bool checkpoint_changed_ = false;
  metrics::dispatch_series series_;
  std::optional<core::time_point> stop_deadline_; ///< set: nothing more is read, and what is left then is dropped
  std::optional<std::string> failure_;
  bool abandoned_ = false;
  bool finished_ = false;
};

head_actor::behavior_type head(head_actor::stateful_pointer<head_state> self, const head_config& config);

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(head_start)
PENSTOCK_LOCAL_MESSAGE(head_shutdown)
PENSTOCK_LOCAL_MESSAGE(head_tick)
PENSTOCK_LOCAL_MESSAGE(jobs_waiting)
PENSTOCK_LOCAL_MESSAGE(picture_ask)
PENSTOCK_LOCAL_MESSAGE(picture_gone)
PENSTOCK_LOCAL_MESSAGE(guest_ask)
PENSTOCK_LOCAL_MESSAGE(guest_leave)
PENSTOCK_LOCAL_MESSAGE(preview_ask)
