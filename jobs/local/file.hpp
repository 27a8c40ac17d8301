#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace penstock::jobs::local {

/// An open file that closes itself.
class file {
 public:
  file() = default;
  explicit file(int descriptor) : descriptor_{descriptor} {}
  file(file&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  file& operator=(file&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~file();

  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// `io` (or `not_found`) with the path and what the operating system says of `code`, an errno.
[[nodiscard]] tl::unexpected<core::error> io_error(const std::filesystem::path& path, int code);

[[nodiscard]] core::expected<void> write_all(const file& to, std::span<const std::byte> bytes,
                                             const std::filesystem::path& path);

/// Brings a folder's entries to the disk.
[[nodiscard]] core::expected<void> sync_folder(const std::filesystem::path& folder);

/// Makes a folder and those above it, and brings the new entries to the disk.
[[nodiscard]] core::expected<void> make_folders(const std::filesystem::path& folder);

} // namespace penstock::jobs::local
