#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "jobs/record.hpp"

namespace penstock::jobs {

struct blob_info {
  std::string name;
  std::uint64_t bytes = 0;
  wall_time modified{}; ///< by the store's clock
};

struct blob_page {
  std::vector<blob_info> blobs; ///< in the order of their names
  bool last = true;             ///< false: there are more, behind the last name here
};

enum class publication : std::uint8_t {
  created, ///< the blob is there now, whole and durable
  existed, ///< there was one of that name, which stays as it is
};

/// A blob on its way in. Nobody sees it before `publish`; without that it comes to nothing. For one thread.
class blob_writer {
 public:
  blob_writer() = default;
  blob_writer(const blob_writer&) = delete;
  blob_writer& operator=(const blob_writer&) = delete;
  virtual ~blob_writer() = default;

  [[nodiscard]] virtual core::expected<void> write(std::span<const std::byte> bytes) = 0;

  /// Makes the blob visible in one step, unless there is one of its name. Only once.
  [[nodiscard]] virtual core::expected<publication> publish() = 0;
};

/// A blob on its way out. For one thread.
class blob_reader {
 public:
  blob_reader() = default;
  blob_reader(const blob_reader&) = delete;
  blob_reader& operator=(const blob_reader&) = delete;
  virtual ~blob_reader() = default;

  /// Size of the whole blob.
  [[nodiscard]] virtual std::uint64_t blob_bytes() const noexcept = 0;

  /// The next bytes, up to as many as fit; 0 at the end.
  [[nodiscard]] virtual core::expected<std::size_t> read(std::span<std::byte> into) = 0;
};

/// Files that never change: inputs and results. Names are parts joined by `/`; a part is of [A-Za-z0-9._-] and does not
/// begin with a dot; 200 letters in all. Bodies pass through in pieces, so memory does not grow with their size.
/// Thread-safe. Errors as those of `ledger`; `invalid_argument` for a name that is none; `not_found`.
class blobs {
 public:
  blobs() = default;
  blobs(const blobs&) = delete;
  blobs& operator=(const blobs&) = delete;
  virtual ~blobs() = default;

  [[nodiscard]] virtual core::expected<std::unique_ptr<blob_writer>> create(std::string_view name) = 0;

  /// Reads from `offset` on, `length` bytes at most. An offset at or behind the end gives nothing.
  [[nodiscard]] virtual core::expected<std::unique_ptr<blob_reader>>
  open(std::string_view name, std::uint64_t offset = 0, std::optional<std::uint64_t> length = std::nullopt) = 0;

  [[nodiscard]] virtual core::expected<std::optional<blob_info>> stat(std::string_view name) = 0;

  /// The file that a blob is, where this machine has it as one; it must not be changed. Nullopt: it is no file here.
  [[nodiscard]] virtual std::optional<std::filesystem::path> local_path(std::string_view /*name*/) const {
    return std::nullopt;
  }

  /// False where there is none.
  [[nodiscard]] virtual core::expected<bool> remove(std::string_view name) = 0;

  /// The first `limit` blobs whose names begin with `prefix` and come after `after`.
  [[nodiscard]] virtual core::expected<blob_page> list(std::string_view prefix, std::string_view after,
                                                       std::size_t limit) = 0;

  /// Removes what writers that died left unpublished and untouched since `before`; how many.
  [[nodiscard]] virtual core::expected<std::uint64_t> sweep_unpublished(wall_time before) = 0;
};

/// Whether a blob may have this name.
[[nodiscard]] bool is_blob_name(std::string_view name) noexcept;

/// `create`, `write` and `publish` of bytes that are in memory anyway.
[[nodiscard]] core::expected<publication> put_blob(blobs& store, std::string_view name,
                                                   std::span<const std::byte> bytes);

/// A whole blob of at most `limit` bytes. Errors: `not_found`, `too_large`.
[[nodiscard]] core::expected<std::string> get_blob(blobs& store, std::string_view name, std::size_t limit);

} // namespace penstock::jobs
