#include "scaling/policy/schedule.hpp"

#include <cstddef>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "scaling/policy/checks.hpp"

namespace penstock::scaling {

namespace {

using namespace std::chrono_literals;

/// Where a moment lies in a week that begins on Sunday at midnight.
std::chrono::seconds time_of_week(std::chrono::sys_seconds at, std::chrono::minutes utc_offset) {
  const auto local = at + utc_offset;
  const auto day = std::chrono::floor<std::chrono::days>(local);
  return std::chrono::days{std::chrono::weekday{day}.c_encoding()} + (local - day);
}

/// Whether the entry holds at some moment from `begin` on, for `ahead`.
bool holds(const schedule_entry& entry, std::chrono::seconds begin, std::chrono::seconds ahead) {
  constexpr auto week = std::chrono::seconds{std::chrono::days{7}};
  const auto length = entry.to > entry.from ? entry.to - entry.from : entry.to + 24h - entry.from;
  for (std::size_t day = 0; day < entry.days.size(); ++day) {
    if (!entry.days[day]) continue;
    const auto from = std::chrono::days{day} + entry.from;
    // Since it began; one that is still to come began so much less than a week ago.
    const auto since = ((begin - from) % week + week) % week;
    if (since < length || since + ahead >= week) return true;
  }
  return false;
}

std::string clock_time(std::chrono::minutes of_day) {
  return fmt::format("{:02}:{:02}", of_day.count() / 60, of_day.count() % 60);
}

} // namespace

schedule_policy::schedule_policy(schedule_options options, calendar wall)
    : options_{std::move(options)}, wall_{std::move(wall)} {}

proposal schedule_policy::propose(const signals& seen) {
  const auto boot = std::chrono::ceil<std::chrono::seconds>(seen.boot.count() > 0 ? seen.boot : options_.boot_time);
  const auto now = time_of_week(wall_(seen.at), options_.utc_offset);
  proposal best{0, "no time of the schedule"};
  for (const auto& entry : options_.entries) {
    if (entry.workers <= best.workers || !holds(entry, now, boot)) continue;
    const bool is_early = !holds(entry, now, 0s);
    best = {entry.workers, fmt::format("{} are scheduled from {} to {}{}", entry.workers, clock_time(entry.from),
                                       clock_time(entry.to), is_early ? ", asked for now to be ready then" : "")};
  }
  return best;
}

core::expected<void> schedule_options::validate() const {
  constexpr double day = 24 * 60;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    auto right =
        check::at_least("workers", entry.workers, 1)
            .and_then([&] { return check::within("from (min)", static_cast<double>(entry.from.count()), 0, day - 1); })
            .and_then([&] { return check::within("to (min)", static_cast<double>(entry.to.count()), 0, day); })
            .and_then([&]() -> core::expected<void> {
              if (entry.days != std::array<bool, 7>{}) return {};
              return core::fail(core::errc::bad_config, "days: none is named");
            });
    if (!right) return core::fail(fmt::format("entries[{}]", i), std::move(right).error());
  }
  return check::within("utc_offset (min)", static_cast<double>(utc_offset.count()), -day, day).and_then([&] {
    return check::above_zero("boot_time", boot_time);
  });
}

} // namespace penstock::scaling
