#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace penstock::cli {

/// The media type of a file by its first bytes (377 tell all kinds apart): those that a door takes as jobs, otherwise
/// "application/octet-stream".
[[nodiscard]] std::string_view media_type_of(std::string_view begin) noexcept;

/// A file that becomes a job, open for reading. It is never whole in memory.
class job_input {
 public:
  using read_told = std::function<void(std::uint64_t bytes)>;

  /// Opens it. Errors: io; invalid_argument (no regular file, or an empty one).
  [[nodiscard]] static core::expected<job_input> open(const std::filesystem::path& path);

  job_input(job_input&& other) noexcept;
  job_input& operator=(job_input&& other) noexcept;
  job_input(const job_input&) = delete;
  job_input& operator=(const job_input&) = delete;
  ~job_input();

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }
  [[nodiscard]] const std::string& type() const noexcept { return type_; }
  /// The file's name without folders and controls.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// A key that only the same content under the same name has, and with another `salt` neither. Reads all of it.
  /// Errors: io; cancelled.
  [[nodiscard]] core::expected<std::string> key(std::string_view salt, const std::stop_token& stop,
                                                const read_told& told) const;

  /// Whether it was written to since it was opened.
  [[nodiscard]] bool changed() const;

 private:
  job_input() = default;

  int fd_ = -1;
  std::uint64_t size_bytes_ = 0;
  std::int64_t modified_ns_ = 0;
  std::string type_;
  std::string name_;
};

} // namespace penstock::cli
