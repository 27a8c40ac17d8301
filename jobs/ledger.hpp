#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::jobs {

/// What the ledger keeps under a key.
struct entry {
  std::string key;
  std::string value;
  std::string version; ///< opaque; another one for every write, also after a removal
};

/// Some entries, in the order of their keys.
struct entry_page {
  std::vector<entry> entries;
  bool last = true; ///< false: there are more, behind the last key here
};

/// Keys and values with compare and swap: the truth about jobs. Keys are made of [a-z0-9] and `/`, which does not begin
/// or end them; values are up to 512 KiB.
///
/// Writes are durable when they return. A write whose answer got lost may be done again by the backend, so
/// `nullopt`/`false` can also mean that the caller's own write has been made: whoever must know reads and compares.
/// An error says nothing about whether the write was made. Every call ends within a time limit. Thread-safe.
///
/// Errors: `unavailable`, `timeout` (try again), `io`, `corrupt` (not what this program wrote), `bad_config` (refused).
class ledger {
 public:
  ledger() = default;
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;
  virtual ~ledger() = default;

  /// Writes a key that is not there: the new version, or nullopt where the key exists.
  [[nodiscard]] virtual core::expected<std::optional<std::string>> create(std::string_view key,
                                                                          std::string_view value) = 0;

  [[nodiscard]] virtual core::expected<std::optional<entry>> read(std::string_view key) = 0;

  /// Writes a key whose version is the one given: the new version, or nullopt where it is another or none.
  [[nodiscard]] virtual core::expected<std::optional<std::string>> replace(std::string_view key, std::string_view value,
                                                                           std::string_view version) = 0;

  /// Removes a key whose version is the one given; false where it is another or none.
  [[nodiscard]] virtual core::expected<bool> remove(std::string_view key, std::string_view version) = 0;

  /// The first `limit` keys that begin with `prefix` and come after `after` (or all, where it is empty).
  [[nodiscard]] virtual core::expected<entry_page> list(std::string_view prefix, std::string_view after,
                                                        std::size_t limit) = 0;
};

} // namespace penstock::jobs
