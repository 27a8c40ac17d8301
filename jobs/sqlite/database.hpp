#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.hpp"

namespace penstock::jobs::sqlite {

/// A statement that is being executed. Returns to the database's cache at its end.
class statement {
 public:
  statement(sqlite3_stmt* handle, const std::string& place) : handle_{handle}, place_{place} {}
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;
  ~statement();

  statement& bind(std::string_view text); ///< the text must live as long as this
  statement& bind(std::int64_t number);

  /// True: a row is there; false: the end.
  [[nodiscard]] core::expected<bool> step();
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;

 private:
  sqlite3_stmt* handle_;
  const std::string& place_;
  int bound_ = 0;
  int bind_error_ = SQLITE_OK;
};

/// One connection to one file in WAL mode with `synchronous=FULL`: what is committed survives the death of the process
/// and of the machine. Any number of processes may share the file. Callers hold `lock()` while they use statements.
class database {
 public:
  /// Opens or makes the file, and the tables in it. Errors: `io`, `corrupt` (no database, or of another program),
  /// `unavailable` (locked for too long).
  [[nodiscard]] static core::expected<std::shared_ptr<database>> open(const std::filesystem::path& file);

  database(const database&) = delete;
  database& operator=(const database&) = delete;
  ~database() = default;

  [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock{mutex_}; }

  /// A statement of the cache; the text is its key, so it should be a constant.
  [[nodiscard]] core::expected<std::unique_ptr<statement>> prepare(const char* sql);

  /// Executes statements that return nothing.
  [[nodiscard]] core::expected<void> execute(const char* sql);

  /// Rows that the last statement changed.
  [[nodiscard]] std::int64_t changes() const;

 private:
  struct close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  struct finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };

  database() = default;
  core::expected<void> make_tables();

  std::string place_;
  std::mutex mutex_;
  std::unique_ptr<sqlite3, close> handle_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, finalize>> statements_;
};

/// A transaction that writes. Rolled back unless committed.
class transaction {
 public:
  [[nodiscard]] static core::expected<std::unique_ptr<transaction>> begin(database& on);
  explicit transaction(database& on) : on_{on} {}
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  ~transaction();

  [[nodiscard]] core::expected<void> commit();

 private:
  database& on_;
  bool open_ = true;
};

} // namespace penstock::jobs::sqlite
