#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/time.hpp"

/// What stands behind the door. The gateway calls these on its one thread, so none may block; each answers by calling
/// `done` exactly once, at once or later, on any thread. A call whose `done` is destroyed without having been called is
/// answered with 500. A `std::stop_token` tells that nobody waits for the answer any more (the client went away, its
/// deadline passed, the server stops): `done` may then still be called, and is ignored.
///
/// Errors become statuses: invalid_argument 400, not_found 404, too_large 413, corrupt 422, unsupported 415,
/// unavailable and cancelled 503, timeout 504, all others 500 (whose message goes to the log only).
namespace penstock::gateway {

template <class T>
using completion = std::function<void(core::expected<T>)>;

// -- pieces

/// Bytes that come piece by piece, each asked for when the one before has been sent: a slow client holds nobody else
/// up, and the maker decides what waits or is dropped. Destroyed when the client has gone or has everything; a `done`
/// that is called after that is ignored.
class byte_source {
 public:
  virtual ~byte_source() = default;
  /// The next piece, a few KiB to some hundred; an empty one is the end. One call at a time.
  virtual void next(completion<std::string> done) = 0;
};

/// Where an upload goes. Destroyed without `commit`: the upload failed, nothing of it is kept.
class byte_sink {
 public:
  virtual ~byte_sink() = default;
  /// Takes a piece of at most 64 KiB. Nothing more is read from the client until `done`. One call at a time.
  virtual void write(std::string piece, completion<std::monostate> done) = 0;
};

// -- POST /v1/detect

struct detect_request {
  std::string picture;      ///< the file's bytes; its header was looked at
  std::string content_type; ///< image/jpeg, image/png, image/webp
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  bool annotate = false; ///< a JPEG with boxes is wanted as well
  core::time_point deadline;
  std::string request_id; ///< for logs
};

struct detected_object {
  std::string label;
  std::int32_t class_index = 0;
  float score = 0;
  float x = 0, y = 0, w = 0, h = 0; ///< in the picture's pixels
};

struct detect_reply {
  int width_px = 0;
  int height_px = 0;
  std::vector<detected_object> objects; ///< best score first
  std::string annotated_jpeg;           ///< if it was asked for
  core::seconds served{0};              ///< decode to postprocess, without waiting
};

class detect_api {
 public:
  virtual ~detect_api() = default;
  /// Past the deadline the work is to be dropped; the client has its 504 by then.
  virtual void detect(detect_request request, std::stop_token gone, completion<detect_reply> done) = 0;
};

// -- /v1/jobs

enum class job_state : std::uint8_t { queued, running, done, failed, cancelled, dead };

[[nodiscard]] std::string_view to_string(job_state s) noexcept;
[[nodiscard]] std::optional<job_state> job_state_named(std::string_view name) noexcept;

struct job_view {
  std::string id;
  job_state state = job_state::queued;
  std::string name;         ///< as the client called it, for people
  std::string content_type; ///< of the input
  std::string uri;          ///< where it was given instead of a body
  std::uint64_t size_bytes = 0;
  std::chrono::system_clock::time_point created;
  std::optional<std::chrono::system_clock::time_point> finished;
  std::uint64_t frames_done = 0;
  std::optional<std::uint64_t> frames_total;    ///< where it is known
  std::map<std::string, std::uint64_t> dropped; ///< frames without a result, by reason; zeros are left out
  std::optional<core::seconds> eta;
  std::uint32_t attempts = 0;
  std::uint32_t max_attempts = 0;
  std::string worker; ///< that holds its lease
  std::string error;  ///< of the last attempt
};

struct job_request {
  std::string idempotency_key;             ///< empty: none
  std::string owner;                       ///< the token's name; keys of different owners are different
  std::string name;                        ///< from the header Penstock-Name, or empty
  std::string content_type;                ///< of the body, by its first bytes
  std::optional<std::uint64_t> size_bytes; ///< if the client says it before sending
  std::string uri;                         ///< instead of a body
};

/// A job that was made, or that an earlier request with the same key made.
struct job_created {
  job_view job;
  bool repeated = false;
};

/// A job's input on its way to the blob store.
class job_upload : public byte_sink {
 public:
  /// All of it was written: the job is recorded durably before `done`.
  virtual void commit(completion<job_created> done) = 0;
};

struct job_filter {
  std::optional<job_state> state;
  std::size_t limit = 100;
  std::string after; ///< the id that the page before ended with
};

struct job_page {
  std::vector<job_view> jobs; ///< newest first
  std::string next;           ///< `after` of the next page; empty: none
};

/// What became of a change that was asked for.
enum class change : std::uint8_t {
  done,
  no_such, ///< 404
  not_now, ///< 409: its state does not allow it
};

class jobs_api {
 public:
  virtual ~jobs_api() = default;
  /// Before the first byte is stored: the sink for it, or the job that an earlier request with the same key made.
  virtual void open(job_request request, std::stop_token gone,
                    completion<std::variant<std::shared_ptr<job_upload>, job_view>> done) = 0;
  /// A job whose input lies in a configured store: `request.uri`.
  virtual void submit(job_request request, std::stop_token gone, completion<job_created> done) = 0;
  virtual void get(const std::string& id, std::stop_token gone, completion<job_view> done) = 0;
  virtual void list(job_filter filter, std::stop_token gone, completion<job_page> done) = 0;
  virtual void cancel(const std::string& id, completion<change> done) = 0;
  virtual void requeue(const std::string& id, completion<change> done) = 0;
  /// JSON Lines from the first frame; while the job runs, the source's `next` waits for more.
  virtual void results(const std::string& id, std::stop_token gone, completion<std::shared_ptr<byte_source>> done) = 0;
};

// -- /v1/streams

struct stream_view {
  std::string id;
  std::string uri;    ///< without user and password
  std::string policy; ///< live or lossless
  std::string state;  ///< running, connecting, ended, failed: one word
  bool removable = false;
  double frames_per_s = 0;
  double latency_p50_s = 0;
  double latency_p99_s = 0;
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t in_flight = 0;
  std::map<std::string, std::uint64_t> dropped; ///< by reason; zeros may be left out
};

struct stream_request {
  std::string id;
  std::string uri;
  std::string policy; ///< live, lossless, or empty: as the source suggests
};

struct stream_added {
  stream_view stream;
  bool exists = false; ///< 409: another has that id, nothing was changed
};

class streams_api {
 public:
  virtual ~streams_api() = default;
  virtual void list(std::stop_token gone, completion<std::vector<stream_view>> done) = 0;
  virtual void add(stream_request request, completion<stream_added> done) = 0;
  virtual void remove(const std::string& id, completion<change> done) = 0;
  /// The stream's last frame with boxes, a JPEG. Unavailable: it has none yet.
  virtual void snapshot(const std::string& id, std::stop_token gone, completion<std::string> done) = 0;
  /// Pictures with boxes, a JPEG each; encoded only while somebody has such a source and asks. `next` gives one newer
  /// than the last. The gateway does not ask more often than `preview.fps`.
  virtual void preview(const std::string& id, std::stop_token gone, completion<std::shared_ptr<byte_source>> done) = 0;
};

// -- GET /v1/state

/// The ledger of what has no stream of its own: pictures that were asked for, streams that left, jobs.
struct account_view {
  std::string id;
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t in_flight = 0;
  std::map<std::string, std::uint64_t> dropped; ///< by reason
};

struct worker_view {
  std::string name;
  std::string state; ///< warming, working, draining, silent: one word
  std::vector<std::string> stages;
  std::string device;
  double load = 0; ///< 0 to 1
  std::uint32_t leases = 0;
  std::uint32_t credit = 0;
  core::seconds heard{0}; ///< since its last message
  std::string role{};     ///< of the topology's nodes
};

struct stage_view {
  std::string name;
  double items_per_s = 0;
  double utilisation = 0; ///< 0 to 1
  std::uint64_t queue = 0;
};

/// All that the console and `penstock top` show, but for the jobs and the gateway's own figures.
struct state_view {
  std::string pipeline;
  std::string version;
  std::string model;
  std::string engine;
  std::string device;
  bool draining = false;
  core::seconds uptime{0};
  std::vector<stream_view> streams; ///< with the ledger's counts
  std::vector<account_view> others; ///< the rest of the ledger
  std::vector<worker_view> workers;
  std::vector<stage_view> stages;
};

class state_api {
 public:
  virtual ~state_api() = default;
  virtual void state(std::stop_token gone, completion<state_view> done) = 0;
};

// -- health, metrics, drain

/// Where metrics are served.
struct target_view {
  std::string address; ///< HOST:PORT; empty: this door
  std::map<std::string, std::string> labels;
};

/// The process. Always there.
class node_api {
 public:
  virtual ~node_api() = default;
  virtual std::string metrics() = 0;              ///< Prometheus text; quick, for it is made on the gateway's thread
  virtual bool healthy() = 0;                     ///< nothing has failed
  virtual bool ready() = 0;                       ///< takes work
  virtual std::vector<target_view> targets() = 0; ///< this process and those that work for it; quick
  /// Stops taking work and ends when what was taken is finished. `done` when that has begun.
  virtual void drain(completion<std::monostate> done) = 0;
  /// Has a worker finish what it has and leave. `done` when it was asked to.
  virtual void drain_worker(const std::string& name, completion<change> done) = 0;
};

class event_hub;

/// The parts that are attached; those that are null answer 501 and say what the topology lacks. All outlive the server.
struct api {
  node_api* node = nullptr; ///< must be there
  detect_api* detect = nullptr;
  jobs_api* jobs = nullptr;
  streams_api* streams = nullptr;
  state_api* state = nullptr;
  event_hub* events = nullptr;
};

} // namespace penstock::gateway
