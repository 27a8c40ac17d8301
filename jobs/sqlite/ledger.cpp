#include "jobs/sqlite/ledger.hpp"

#include <charconv>
#include <utility>

namespace penstock::jobs::sqlite {
namespace {

class sqlite_ledger final : public jobs::ledger {
 public:
  explicit sqlite_ledger(std::shared_ptr<database> on) : on_{std::move(on)} {}

  core::expected<std::optional<std::string>> create(std::string_view key, std::string_view value) override {
    return write([&](std::int64_t version) -> core::expected<void> {
      auto insert = on_->prepare("INSERT INTO ledger(key, value, version) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
      if (!insert) return tl::unexpected{insert.error()};
      return (*insert)->bind(key).bind(value).bind(version).step().map([](bool) {});
    });
  }

  core::expected<std::optional<std::string>> replace(std::string_view key, std::string_view value,
                                                     std::string_view version) override {
    return write([&](std::int64_t next) -> core::expected<void> {
      auto update = on_->prepare("UPDATE ledger SET value = ?, version = ? WHERE key = ? AND version = ?");
      if (!update) return tl::unexpected{update.error()};
      return (*update)->bind(value).bind(next).bind(key).bind(number_of(version)).step().map([](bool) {});
    });
  }

  core::expected<bool> remove(std::string_view key, std::string_view version) override {
    const auto lock = on_->lock();
    auto gone = on_->prepare("DELETE FROM ledger WHERE key = ? AND version = ?");
    if (!gone) return tl::unexpected{gone.error()};
    if (auto done = (*gone)->bind(key).bind(number_of(version)).step(); !done) return tl::unexpected{done.error()};
    return on_->changes() != 0;
  }

  core::expected<std::optional<entry>> read(std::string_view key) override {
    const auto lock = on_->lock();
    auto query = on_->prepare("SELECT value, version FROM ledger WHERE key = ?");
    if (!query) return tl::unexpected{query.error()};
    const auto row = (*query)->bind(key).step();
    if (!row) return tl::unexpected{row.error()};
    if (!*row) return std::nullopt;
    return entry{std::string{key}, (*query)->text(0), (*query)->text(1)};
  }

  core::expected<entry_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    // Keys have no letter as large as 0x7f, so this is behind all that begin with the prefix.
    const auto end = std::string{prefix} + '\x7f';
    const auto from = std::max(prefix, after);
    const auto lock = on_->lock();
    auto query = on_->prepare("SELECT key, value, version FROM ledger WHERE key >= ? AND key > ? AND key < ? "
                              "ORDER BY key LIMIT ?");
    if (!query) return tl::unexpected{query.error()};
    (*query)->bind(from).bind(after).bind(end).bind(static_cast<std::int64_t>(limit) + 1);
    entry_page out;
    while (true) {
      const auto row = (*query)->step();
      if (!row) return tl::unexpected{row.error()};
      if (!*row) return out;
      if (out.entries.size() == limit) {
        out.last = false;
        return out;
      }
      out.entries.push_back({(*query)->text(0), (*query)->text(1), (*query)->text(2)});
    }
  }

 private:
  static std::int64_t number_of(std::string_view version) {
    std::int64_t out = -1;
    std::from_chars(version.data(), version.data() + version.size(), out);
    return out;
  }

  /// Versions count all writes of the file, so none comes twice, whatever is removed in between.
  template <class Change>
  core::expected<std::optional<std::string>> write(Change change) {
    const auto lock = on_->lock();
    auto writing = transaction::begin(*on_);
    if (!writing) return tl::unexpected{writing.error()};
    std::int64_t version = 0;
    {
      auto next = on_->prepare("UPDATE counter SET version = version + 1 RETURNING version");
      if (!next) return tl::unexpected{next.error()};
      const auto row = (*next)->step();
      if (!row) return tl::unexpected{row.error()};
      version = (*next)->number(0);
      if (auto end = (*next)->step(); !end) return tl::unexpected{end.error()};
    }
    if (auto made = change(version); !made) return tl::unexpected{made.error()};
    if (on_->changes() == 0) return std::nullopt; // rolled back
    if (auto done = (*writing)->commit(); !done) return tl::unexpected{done.error()};
    return std::to_string(version);
  }

  std::shared_ptr<database> on_;
};

} // namespace

std::shared_ptr<jobs::ledger> make_ledger(std::shared_ptr<database> on) {
  return std::make_shared<sqlite_ledger>(std::move(on));
}

} // namespace penstock::jobs::sqlite
