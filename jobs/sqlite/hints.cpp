#include "jobs/sqlite/hints.hpp"

#include <charconv>
#include <utility>

namespace penstock::jobs::sqlite {
namespace {

/// A receipt is "row.delivery": it is void as soon as the hint went to somebody else.
struct delivery {
  std::int64_t row = -1;
  std::int64_t count = -1;
};

delivery read_receipt(std::string_view text) {
  delivery out;
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return out;
  std::from_chars(text.data(), text.data() + dot, out.row);
  std::from_chars(text.data() + dot + 1, text.data() + text.size(), out.count);
  return out;
}

class sqlite_hints final : public jobs::hints {
 public:
  sqlite_hints(std::shared_ptr<database> on, wall_clock clock) : on_{std::move(on)}, clock_{std::move(clock)} {}

  core::expected<void> push(std::string_view job) override {
    const auto lock = on_->lock();
    auto insert = on_->prepare("INSERT INTO hints(job, visible) VALUES (?, ?)");
    if (!insert) return tl::unexpected{insert.error()};
    return (*insert)->bind(job).bind(in(milliseconds{0})).step().map([](bool) {});
  }

  core::expected<std::optional<hint>> pop(milliseconds invisible_for) override {
    const auto lock = on_->lock();
    // Idle workers ask often: they should not take the write lock each time.
    auto any = on_->prepare("SELECT 1 FROM hints WHERE visible <= ? LIMIT 1");
    if (!any) return tl::unexpected{any.error()};
    const auto some = (*any)->bind(in(milliseconds{0})).step();
    if (!some) return tl::unexpected{some.error()};
    if (!*some) return std::nullopt;
    any->reset(); // ends the read, which could not turn into a write
    auto update = on_->prepare("UPDATE hints SET visible = ?, receipt = receipt + 1 WHERE id = "
                               "(SELECT id FROM hints WHERE visible <= ? ORDER BY visible, id LIMIT 1) "
                               "RETURNING id, job, receipt");
    if (!update) return tl::unexpected{update.error()};
    const auto row = (*update)->bind(in(invisible_for)).bind(in(milliseconds{0})).step();
    if (!row) return tl::unexpected{row.error()};
    if (!*row) return std::nullopt;
    hint out{(*update)->text(1), (*update)->text(0) + '.' + (*update)->text(2)};
    // The write is committed when the statement has come to its end.
    if (auto end = (*update)->step(); !end) return tl::unexpected{end.error()};
    return out;
  }

  core::expected<void> extend(hint& held, milliseconds invisible_for) override { return show_in(held, invisible_for); }

  core::expected<void> release(const hint& held, milliseconds delay) override { return show_in(held, delay); }

  core::expected<void> acknowledge(const hint& held) override {
    const auto [row, count] = read_receipt(held.receipt);
    const auto lock = on_->lock();
    auto gone = on_->prepare("DELETE FROM hints WHERE id = ? AND receipt = ?");
    if (!gone) return tl::unexpected{gone.error()};
    return finish((*gone)->bind(row).bind(count), held);
  }

  core::expected<std::uint64_t> depth() override {
    const auto lock = on_->lock();
    auto query = on_->prepare("SELECT count(*) FROM hints");
    if (!query) return tl::unexpected{query.error()};
    if (auto row = (*query)->step(); !row) return tl::unexpected{row.error()};
    return static_cast<std::uint64_t>((*query)->number(0));
  }

 private:
  [[nodiscard]] std::int64_t in(milliseconds wait) const { return (clock_() + wait).time_since_epoch().count(); }

  core::expected<void> show_in(const hint& held, milliseconds wait) {
    const auto [row, count] = read_receipt(held.receipt);
    const auto lock = on_->lock();
    auto update = on_->prepare("UPDATE hints SET visible = ? WHERE id = ? AND receipt = ?");
    if (!update) return tl::unexpected{update.error()};
    return finish((*update)->bind(in(wait)).bind(row).bind(count), held);
  }

  core::expected<void> finish(statement& change, const hint& held) {
    if (auto done = change.step(); !done) return tl::unexpected{done.error()};
    if (on_->changes() == 0) return core::fail(core::errc::not_found, held.job + ": its hint went to somebody else");
    return {};
  }

  std::shared_ptr<database> on_;
  wall_clock clock_;
};

} // namespace

std::shared_ptr<jobs::hints> make_hints(std::shared_ptr<database> on, wall_clock clock) {
  return std::make_shared<sqlite_hints>(std::move(on), std::move(clock));
}

} // namespace penstock::jobs::sqlite
