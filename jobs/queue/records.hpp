#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "jobs/ledger.hpp"
#include "jobs/record.hpp"

namespace penstock::jobs::queue {

/// Layout of the ledger. `job/ID` is the one truth about a job. `open/ID` and `dead/ID` are indexes: there is one for
/// every job that is open, or dead, and maybe for others; their value is the time of their making.
inline constexpr std::string_view job_prefix = "job/";
inline constexpr std::string_view open_prefix = "open/";
inline constexpr std::string_view dead_prefix = "dead/";
inline constexpr std::string_view key_prefix = "key/";

[[nodiscard]] std::string key_of(std::string_view prefix, std::string_view id);
/// The key that an idempotency key is kept under: its digest, since it may hold anything.
[[nodiscard]] std::string key_of_idempotency(std::string_view key);

/// A record and the version that it has.
struct versioned {
  job record;
  std::string version;
};

[[nodiscard]] core::expected<versioned> decode_entry(const entry& found);
[[nodiscard]] core::expected<std::optional<versioned>> read_job(ledger& store, std::string_view id);
/// Below which keys the jobs of a state are listed; without one, all jobs.
[[nodiscard]] std::string_view prefix_of(std::optional<job_state> state) noexcept;
/// The job of an entry that is listed below `prefix`. Nothing: it is gone, was not accepted, is in another state, or is
/// damaged, which `reconcile` counts.
[[nodiscard]] core::expected<std::optional<job>> listed_job(ledger& store, std::string_view prefix, const entry& found,
                                                            std::optional<job_state> state);

/// Makes an index entry, or renews the one that is there: whoever read it before cannot remove it any more.
[[nodiscard]] core::expected<void> mark(ledger& store, std::string_view prefix, std::string_view id, wall_time now);

/// Writes a record; false where one of its id is there. Finds out by itself whether a write of unknown outcome was
/// made.
[[nodiscard]] core::expected<std::optional<versioned>> create_job(ledger& store, const job& record);

/// Whether the index entry that a change needs is there before the change: without it a crash would hide the job.
[[nodiscard]] core::expected<void> mark_before(ledger& store, const job& before, const job& after, wall_time now);

[[nodiscard]] core::expected<std::optional<std::string>>
write_job(ledger& store, const job& record, const std::string& version, std::optional<versioned>& found);

struct change_answer {
  versioned now;
  bool written = false; ///< false: the edit left the record as it is
};

/// Changes a record by compare and swap: `edit(job&) → bool` says whether to write; it is called again when somebody
/// else was faster. Nullopt where there is no such job. `known` saves a read.
template <class Edit>
core::expected<std::optional<change_answer>> change_job(ledger& store, std::string_view id, wall_time now,
                                                        std::optional<versioned> known, Edit edit) {
  constexpr int most_tries = 32;
  for (int i = 0; i < most_tries; ++i) {
    if (!known) {
      auto read = read_job(store, id);
      if (!read) return tl::unexpected{read.error()};
      if (!*read) return std::nullopt;
      known = std::move(*read);
    }
    job next = known->record;
    if (!edit(next)) return change_answer{std::move(*known), false};
    if (auto marked = mark_before(store, known->record, next, now); !marked) return tl::unexpected{marked.error()};
    std::optional<versioned> found;
    auto version = write_job(store, next, known->version, found);
    if (!version) return tl::unexpected{version.error()};
    if (*version) return change_answer{{std::move(next), std::move(**version)}, true};
    known = std::move(found); // nullopt: gone, which the next read confirms
  }
  return core::fail(core::errc::unavailable, "job " + std::string{id} + ": too many change it at once");
}

} // namespace penstock::jobs::queue
