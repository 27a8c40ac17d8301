#include "jobs/sqlite/database.hpp"

#include <fmt/format.h>

namespace penstock::jobs::sqlite {
namespace {

/// How long a write waits for those of other processes. They are a few milliseconds each.
constexpr int busy_ms = 20'000;

/// "penj": tells our files from those of others.
constexpr int application = 0x70656e6a;

constexpr const char* tables = R"(
CREATE TABLE IF NOT EXISTS ledger(key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter(id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (1, 0);
CREATE TABLE IF NOT EXISTS hints(
  id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, visible INTEGER NOT NULL, receipt INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS hints_by_time ON hints(visible, id);
)";

core::errc code_of(int result) {
  switch (result & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return core::errc::unavailable;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return core::errc::corrupt;
  case SQLITE_TOOBIG: return core::errc::too_large;
  case SQLITE_MISUSE:
  case SQLITE_RANGE: return core::errc::internal;
  default: return core::errc::io;
  }
}

tl::unexpected<core::error> failed(const std::string& place, sqlite3* handle, int result) {
  const auto* why = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(result);
  return core::fail(code_of(result), fmt::format("{}: {}", place, why));
}

} // namespace

statement::~statement() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

statement& statement::bind(std::string_view text) {
  // An empty view may have no address, which would bind NULL.
  const auto* data = text.empty() ? "" : text.data();
  const auto result = sqlite3_bind_text(handle_, ++bound_, data, static_cast<int>(text.size()), SQLITE_STATIC);
  if (bind_error_ == SQLITE_OK) bind_error_ = result;
  return *this;
}

statement& statement::bind(std::int64_t number) {
  const auto result = sqlite3_bind_int64(handle_, ++bound_, number);
  if (bind_error_ == SQLITE_OK) bind_error_ = result;
  return *this;
}

core::expected<bool> statement::step() {
  auto* on = sqlite3_db_handle(handle_);
  if (bind_error_ != SQLITE_OK) return failed(place_, nullptr, bind_error_);
  const auto result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return failed(place_, on, result);
}

std::string statement::text(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  return {data, data + sqlite3_column_bytes(handle_, column)};
}

std::int64_t statement::number(int column) const { return sqlite3_column_int64(handle_, column); }

core::expected<std::shared_ptr<database>> database::open(const std::filesystem::path& file) {
  std::shared_ptr<database> made{new database};
  made->place_ = file.string();
  sqlite3* handle = nullptr;
  const auto result =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  made->handle_.reset(handle);
  if (result != SQLITE_OK) return failed(made->place_, handle, result);
  sqlite3_busy_timeout(handle, busy_ms);
  sqlite3_extended_result_codes(handle, 1);
  if (auto ready = made->make_tables(); !ready) return tl::unexpected{ready.error()};
  return made;
}

core::expected<void> database::make_tables() {
  // FULL: a commit is on the disk before it returns; NORMAL would lose the last ones with the machine's power.
  auto mode = prepare("PRAGMA journal_mode=WAL");
  if (!mode) return tl::unexpected{mode.error()};
  const auto row = (*mode)->step();
  if (!row) return tl::unexpected{row.error()};
  if (!*row || (*mode)->text(0) != "wal") {
    return core::fail(core::errc::io, place_ + ": this file system cannot hold a shared database (WAL)");
  }
  mode->reset();
  if (auto set = execute("PRAGMA synchronous=FULL"); !set) return set;
  auto writing = transaction::begin(*this);
  if (!writing) return tl::unexpected{writing.error()};
  std::int64_t owner = 0;
  {
    auto asked = prepare("PRAGMA application_id");
    if (!asked) return tl::unexpected{asked.error()};
    const auto got = (*asked)->step();
    if (!got) return tl::unexpected{got.error()};
    owner = (*asked)->number(0);
    if (owner == 0) {
      auto used = prepare("SELECT count(*) FROM sqlite_master");
      if (!used) return tl::unexpected{used.error()};
      const auto counted = (*used)->step();
      if (!counted) return tl::unexpected{counted.error()};
      if ((*used)->number(0) != 0) owner = -1;
    }
  }
  if (owner != 0 && owner != application) {
    return core::fail(core::errc::corrupt, place_ + ": is the database of another program");
  }
  if (auto made = execute(tables); !made) return made;
  if (auto made = execute(fmt::format("PRAGMA application_id={}", application).c_str()); !made) return made;
  return (*writing)->commit();
}

core::expected<std::unique_ptr<statement>> database::prepare(const char* sql) {
  auto& kept = statements_[sql];
  if (!kept) {
    sqlite3_stmt* handle = nullptr;
    const auto result = sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
    if (result != SQLITE_OK) return failed(place_, handle_.get(), result);
    kept.reset(handle);
  }
  return std::make_unique<statement>(kept.get(), place_);
}

core::expected<void> database::execute(const char* sql) {
  const auto result = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return failed(place_, handle_.get(), result);
  return {};
}

std::int64_t database::changes() const { return sqlite3_changes64(handle_.get()); }

core::expected<std::unique_ptr<transaction>> transaction::begin(database& on) {
  // IMMEDIATE: takes the one write lock at once, and waits for it; a read that turns into a write could not wait.
  if (auto begun = on.execute("BEGIN IMMEDIATE"); !begun) return tl::unexpected{begun.error()};
  return std::make_unique<transaction>(on);
}

transaction::~transaction() {
  // Nothing can be done about a rollback that fails: the connection's next BEGIN will tell.
  if (open_) static_cast<void>(on_.execute("ROLLBACK"));
}

core::expected<void> transaction::commit() {
  auto done = on_.execute("COMMIT");
  if (done) open_ = false;
  return done;
}

} // namespace penstock::jobs::sqlite
