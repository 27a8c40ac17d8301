#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/checkpoint.hpp"
#include "core/error.hpp"
#include "core/result.hpp"
#include "jobs/record.hpp"

namespace penstock::front {

/// Parts that one attempt has published, in a row from its number 0.
struct attempt_parts {
  std::uint64_t epoch = 0; ///< of its lease
  std::uint64_t count = 0;

  bool operator==(const attempt_parts&) const = default;
};

/// What is known of a job between attempts: the checkpoint in its record. It only ever says what is already in parts.
///
/// Each attempt publishes parts of its own (`part_of`), since attempts may cut them differently, and one that lost its
/// lease may still be at it. What counts is this list, which only who holds the lease can add to, at its end. So the
/// bytes of the parts in it are a beginning of the result, whoever goes on.
struct job_note {
  actors::stream_progress progress;
  std::uint64_t next_seq = 0; ///< frames before it, by seq, are in parts if they have a result
  std::vector<attempt_parts> parts;
  std::array<std::uint64_t, core::drop_reason_count>
      dropped{};           ///< of all attempts; a frame dropped by two counts twice
  double frames_per_s = 0; ///< of the latest attempt; 0: not known

  bool operator==(const job_note&) const = default;
};

/// As JSON, one line.
[[nodiscard]] std::string to_text(const job_note& note);

/// Reads what `to_text` wrote; an empty text is the note of a job that was never worked on. Error: `corrupt`.
[[nodiscard]] core::expected<job_note> parse_job_note(std::string_view text);

/// Name of the blob of a part.
[[nodiscard]] std::string part_of(std::string_view id, std::uint64_t epoch, std::uint64_t number);

/// The parts of a note, in order.
[[nodiscard]] std::uint64_t parts_in(const job_note& note) noexcept;

/// The name of part `index` of those, which must be there.
[[nodiscard]] std::string part_at(const job_note& note, std::string_view id, std::uint64_t index);

} // namespace penstock::front
