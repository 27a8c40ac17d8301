#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/door.hpp"
#include "core/error.hpp"

namespace penstock::cli {

/// A job as a door describes it. Texts are printable.
struct job_view {
  std::string id; ///< fit for a path and a file's name
  std::string state;
  std::string name;
  std::uint64_t frames_done = 0;
  std::optional<std::uint64_t> frames_total;
  std::optional<double> eta_s;
  std::uint64_t attempts = 0;
  std::uint64_t max_attempts = 0;
  std::string worker;
  std::string error;

  [[nodiscard]] bool over() const { return state != "queued" && state != "running"; }
};

/// Every state that a job can have, in the order of its life.
inline constexpr const char* job_states[] = {"queued", "running", "done", "failed", "cancelled", "dead"};

/// Reads a job's document. Error: corrupt.
[[nodiscard]] core::expected<job_view> read_job(const nlohmann::json& document);

struct job_page {
  std::vector<job_view> jobs;            ///< newest first
  std::vector<nlohmann::json> documents; ///< the same, as they came
  std::string next;                      ///< id to go on after; empty: that was all
};

/// One page. `state`: "" for all. `limit`: 1 to 1000.
[[nodiscard]] door_expected<job_page> list_jobs(door& at, const std::string& state, std::size_t limit,
                                                const std::string& after);

/// "12/340 frames", or "12 frames" where the total is not known.
[[nodiscard]] std::string progress_of(const job_view& job);

/// A duration for people: "0.4 s", "3 min 12 s", "2 h 5 min".
[[nodiscard]] std::string duration_text(double seconds);

} // namespace penstock::cli
