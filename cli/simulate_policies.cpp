#include "cli/simulate_policies.hpp"

#include <cstddef>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "scaling/simulator/options.hpp"
#include "scaling/simulator/planned.hpp"
#include "scaling/simulator/report.hpp"

namespace penstock::cli {

namespace {

namespace simulator = scaling::simulator;

/// Simulated time begins with a week.
std::chrono::sys_seconds calendar_of(core::time_point at) {
  constexpr std::chrono::sys_days sunday{std::chrono::year{2023} / 1 / 1};
  return sunday + std::chrono::floor<std::chrono::seconds>(at.time_since_epoch());
}

core::expected<void> read_rate(std::string_view text, scaling::rate_options& to) {
  using options = scaling::rate_options;
  constexpr std::pair<const char*, double options::*> numbers[] = {{"target_utilisation", &options::target_utilisation},
                                                                   {"trend_certainty", &options::trend_certainty},
                                                                   {"most_growth", &options::most_growth},
                                                                   {"burst_share", &options::burst_share},
                                                                   {"late_limit", &options::late_limit},
                                                                   {"step", &options::step},
                                                                   {"hysteresis", &options::hysteresis},
                                                                   {"envelope_quantile", &options::envelope_quantile}};
  constexpr std::pair<const char*, core::seconds options::*> spans[] = {{"drain_time", &options::drain_time},
                                                                        {"boot_time", &options::boot_time},
                                                                        {"level_window", &options::level_window},
                                                                        {"trend_window", &options::trend_window},
                                                                        {"stable_for", &options::stable_for},
                                                                        {"step_every", &options::step_every},
                                                                        {"memory", &options::memory},
                                                                        {"outage_grace", &options::outage_grace}};
  double seconds_of[std::size(spans)];
  simulator::options accepted;
  for (const auto& [key, member] : numbers) accepted.number(key, to.*member);
  for (std::size_t i = 0; i < std::size(spans); ++i) {
    seconds_of[i] = (to.*spans[i].second).count();
    accepted.duration(spans[i].first, seconds_of[i]);
  }
  auto read = accepted.read(text);
  for (std::size_t i = 0; i < std::size(spans); ++i) to.*spans[i].second = core::seconds{seconds_of[i]};
  return read;
}

core::expected<void> read_threshold(std::string_view text, scaling::threshold_options& to) {
  auto& out = to.out.front();
  auto& in = to.in.front();
  auto duration = out.duration.count();
  auto cooldown = out.cooldown.count();
  simulator::options accepted;
  accepted.number("out", out.threshold)
      .number("in", in.threshold)
      .duration("duration", duration)
      .duration("cooldown", cooldown)
      .whole("step", out.step, 1);
  auto read = accepted.read(text);
  in.step = out.step;
  out.duration = in.duration = core::seconds{duration};
  out.cooldown = in.cooldown = core::seconds{cooldown};
  return read;
}

core::expected<void> read_schedule(std::string_view text, scaling::schedule_options& to) {
  scaling::schedule_entry always;
  simulator::options accepted;
  accepted.whole("workers", always.workers, 0);
  auto read = accepted.read(text);
  if (!text.empty()) to.entries = {always};
  return read;
}

core::expected<scaling::policy_ptr> planned(std::string_view text, const simulator::scenario& what) {
  double room = 1;
  simulator::options accepted;
  accepted.number("room", room, 0.1, 10);
  if (const auto read = accepted.read(text); !read) return tl::unexpected{read.error()};
  auto problem = simulator::problem_of(what, 0.01);
  for (auto& work : problem.work) work *= room;
  const auto best = simulator::find_optimum(problem);
  if (!best) return tl::unexpected{best.error()};
  return std::make_unique<simulator::planned_policy>(best->workers, core::seconds{problem.slot_s},
                                                     core::seconds{what.machines.slowest_start_s()},
                                                     core::seconds{what.interval_s});
}

core::expected<scaling::policy_ptr> one(std::string_view text, scaling::policy_options options,
                                        const simulator::scenario& what) {
  const auto colon = text.find(':');
  const auto name = text.substr(0, colon);
  const auto rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  if (name == "planned") return planned(rest, what);
  auto read = core::expected<void>{};
  if (name == "rate") read = read_rate(rest, options.rate);
  if (name == "threshold") read = read_threshold(rest, options.threshold);
  if (name == "schedule") read = read_schedule(rest, options.schedule);
  if (!read) return tl::unexpected{read.error()};
  auto made = scaling::make_policy(name, options, calendar_of);
  if (!made && made.error().code == core::errc::not_found)
    return core::fail(core::errc::invalid_argument, made.error().message);
  return made;
}

} // namespace

core::expected<std::vector<scaling::policy_ptr>>
simulated_policies(const std::string& text, const scaling::policy_options& base, const simulator::scenario& what) {
  std::vector<scaling::policy_ptr> all;
  std::string_view rest{text};
  for (;;) {
    const auto part = rest.substr(0, rest.find('+'));
    auto made = one(part, base, what);
    if (!made) return core::fail(fmt::format("--policy {}", text), made.error());
    all.push_back(std::move(*made));
    if (part.size() == rest.size()) return all;
    rest.remove_prefix(part.size() + 1);
  }
}

} // namespace penstock::cli
