#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace penstock::jobs {

/// Time of day, to the millisecond. Machines compare it with each other's: a clock that is off lets a lease end early
/// or late, which costs work done twice but never a result, since epochs and not clocks decide whose result counts.
using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;
using milliseconds = std::chrono::milliseconds;

enum class job_kind : std::uint8_t { video, image };

/// A job goes queued → running → done; back to queued when an attempt fails; to dead after the last one; to cancelled
/// when somebody asks. `done`, `dead` and `cancelled` are final, but a dead job can be queued again.
enum class job_state : std::uint8_t { queued, running, done, dead, cancelled };

[[nodiscard]] std::string_view to_string(job_kind kind) noexcept;
[[nodiscard]] std::string_view to_string(job_state state) noexcept;
[[nodiscard]] std::optional<job_kind> parse_job_kind(std::string_view name) noexcept;
[[nodiscard]] std::optional<job_state> parse_job_state(std::string_view name) noexcept;

[[nodiscard]] constexpr bool is_final(job_state state) noexcept {
  return state == job_state::done || state == job_state::dead || state == job_state::cancelled;
}

/// Who works on a job, and until when. Epochs count a job's leases: a larger one fences all smaller ones.
struct lease {
  std::string worker;
  std::uint64_t epoch = 0;
  std::string token; ///< random, so that two leases are never equal, whatever workers call themselves
  wall_time expires{};
  std::uint64_t frames_at_start = 0; ///< an attempt that got further than this is not counted when its worker is lost

  bool operator==(const lease&) const = default;
};

/// How far a job is, in frames.
struct frame_progress {
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total; ///< unknown for some videos

  bool operator==(const frame_progress&) const = default;
};

/// The record of a job, as the ledger keeps it.
struct job {
  std::string id; ///< unguessable; sorts by the time of its making
  job_kind kind = job_kind::video;
  job_state state = job_state::queued;
  bool accepted = true;   ///< false while its idempotency key is being claimed; nobody sees it then
  std::string input_blob; ///< name of a blob, or empty
  std::string input_uri;  ///< address of the input elsewhere, or empty
  std::string name;       ///< as people call it; like the next two for them only
  std::string content_type;
  std::uint64_t input_bytes = 0;
  std::uint32_t attempts = 0;
  std::uint32_t max_attempts = 1;
  std::uint64_t epoch = 0; ///< of the latest lease; never goes back
  std::optional<lease> held;
  wall_time not_before{}; ///< a queued job waits until then (backoff)
  frame_progress frames;
  std::string checkpoint; ///< opaque: where the next attempt goes on
  std::string error;      ///< of the latest failed attempt
  wall_time created{};
  wall_time updated{};
  wall_time queued{}; ///< since when it waits
  wall_time hinted{}; ///< when the queue was last told of it
  std::string idempotency_key;
  std::string result_blob; ///< set when done

  bool operator==(const job&) const = default;
};

/// A record as JSON, one line.
[[nodiscard]] std::string encode(const job& record);

/// Reads what `encode` wrote; unknown members are ignored, so that an older program can read a newer one's. Error:
/// `corrupt`, which names the member.
[[nodiscard]] core::expected<job> decode_job(std::string_view json);

/// Blobs of a job lie in a folder of its own: what does not belong to a known job can be found and removed.
[[nodiscard]] std::string input_name(std::string_view id);
[[nodiscard]] std::string result_name(std::string_view id);
/// A part of an unfinished result; it is removed when the job is done. `part` is of the letters of blob names.
[[nodiscard]] std::string part_name(std::string_view id, std::string_view part);
/// The id of the job that a blob belongs to: what stands before the first slash.
[[nodiscard]] std::string_view job_of_blob(std::string_view name) noexcept;

} // namespace penstock::jobs
