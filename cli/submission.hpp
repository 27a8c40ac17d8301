#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/door.hpp"
#include "cli/job_view.hpp"
#include "cli/terminal.hpp"

namespace penstock::cli {

struct submission_config {
  std::vector<std::string> files;
  bool again = false;                   ///< new jobs, also for files that have one
  std::filesystem::path results;        ///< folder for results; empty: they stay at the door
  std::chrono::milliseconds patience{}; ///< with a door that is away or busy, for each request
  bool progress = true;                 ///< on standard error, if that is a terminal
  bool quiet = false;                   ///< nothing on standard output
};

/// What became of a file.
struct submitted_file {
  std::string file;
  std::optional<job_view> job;
  bool repeated = false; ///< an earlier request had made the job
  std::string results;   ///< file that has them
  std::string error;     ///< of this side, or a refusal
};

/// Files that become jobs at a door, one after the other.
class submission {
 public:
  submission(door& at, submission_config config);

  /// Sends all files. Error: what stops the others, too (no entry, a door that stays away, somebody asked to stop).
  [[nodiscard]] core::expected<void> send();

  /// Waits until all jobs are over, and fetches results of those that are done. Errors as of `send`.
  [[nodiscard]] core::expected<void> wait();

  [[nodiscard]] const std::vector<submitted_file>& files() const noexcept { return files_; }

 private:
  [[nodiscard]] core::expected<void> send(submitted_file& file);
  [[nodiscard]] core::expected<void> look(submitted_file& file);
  [[nodiscard]] core::expected<void> fetch(submitted_file& file);
  [[nodiscard]] core::expected<void> settle(submitted_file& file, const door_trouble& trouble);
  [[nodiscard]] door::pause_told told(const std::string& about);
  void say(const std::string& line);
  void show(const std::vector<std::string>& lines, bool now = false);
  void show_waiting();

  door& door_;
  submission_config config_;
  std::vector<submitted_file> files_;
  status_lines status_;
  std::chrono::steady_clock::time_point shown_;
};

} // namespace penstock::cli
