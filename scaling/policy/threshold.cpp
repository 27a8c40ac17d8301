#include "scaling/policy/threshold.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <string>
#include <utility>

#include "scaling/policy/checks.hpp"

namespace penstock::scaling {

namespace {

/// Samples of the longest rule; closer ones are left out, so that their number is bounded whatever the interval.
constexpr int most_samples = 1024;

bool holds(const threshold_rule& rule, double value) {
  switch (rule.compare) {
  case threshold_operator::above: return value > rule.threshold;
  case threshold_operator::at_least: return value >= rule.threshold;
  case threshold_operator::below: return value < rule.threshold;
  case threshold_operator::at_most: return value <= rule.threshold;
  }
  return false;
}

std::string shown(const threshold_rule& rule, double value) {
  return fmt::format("{} {:.3g} over {:.0f} s, the rule says {} {:.3g}", to_string(rule.metric), value,
                     rule.duration.count(), to_string(rule.compare), rule.threshold);
}

} // namespace

std::string_view to_string(threshold_metric metric) noexcept {
  switch (metric) {
  case threshold_metric::utilisation: return "utilisation";
  case threshold_metric::backlog: return "backlog";
  case threshold_metric::oldest: return "oldest";
  case threshold_metric::late_share: return "late_share";
  }
  return "unknown";
}

std::string_view to_string(threshold_operator compare) noexcept {
  switch (compare) {
  case threshold_operator::above: return "above";
  case threshold_operator::at_least: return "at_least";
  case threshold_operator::below: return "below";
  case threshold_operator::at_most: return "at_most";
  }
  return "unknown";
}

threshold_policy::threshold_policy(threshold_options options) : options_{std::move(options)} {
  for (const auto* rules : {&options_.out, &options_.in}) {
    for (const auto& rule : *rules) longest_ = std::max(longest_, rule.duration);
  }
}

proposal threshold_policy::propose(const signals& seen) {
  if (samples_.empty() || seen.at - samples_.back().at >= longest_ / most_samples) {
    samples_.push_back({seen.at, {seen.utilisation, seen.backlog().count(), seen.oldest.count(), seen.late_share}});
  }
  // One sample beyond the longest duration tells that all of it has been seen.
  while (samples_.size() > 1 && seen.at - samples_[1].at >= longest_) samples_.pop_front();
  const int have = seen.workers.coming();
  if (auto out = go_out(seen, have)) return *out;
  if (options_.in.empty()) return {have, "no rule holds"};
  return go_in(seen, have);
}

std::optional<proposal> threshold_policy::go_out(const signals& seen, int have) {
  std::optional<proposal> best;
  for (const auto& rule : options_.out) {
    const auto value = mean(rule);
    if (!value || !holds(rule, *value)) continue;
    const bool may = may_act(rule, seen.at);
    const int workers = have + (may ? rule.step : 0);
    if (best && workers <= best->workers) continue;
    best = proposal{workers, shown(rule, *value) + (may ? "" : "; held: cooldown")};
  }
  if (best && best->workers > have) changed_at_ = seen.at;
  return best;
}

proposal threshold_policy::go_in(const signals& seen, int have) {
  int step = have;
  std::string why;
  for (const auto& rule : options_.in) {
    const auto value = mean(rule);
    if (!value || !holds(rule, *value)) return {have, "no rule holds"};
    why = shown(rule, *value);
    if (!may_act(rule, seen.at)) return {have, why + "; held: cooldown"};
    step = std::min(step, rule.step);
  }
  while (step > 0 && would_flap(have, step)) --step;
  if (step == 0) return {have, why + "; held: fewer would ask for more at once"};
  changed_at_ = seen.at;
  return {have - step, why};
}

bool threshold_policy::would_flap(int have, int fewer) const {
  if (fewer >= have) return true; // nobody would be left to measure
  return std::any_of(options_.out.begin(), options_.out.end(), [&](const threshold_rule& rule) {
    const auto value = mean(rule);
    return value && holds(rule, *value * have / (have - fewer));
  });
}

std::optional<double> threshold_policy::mean(const threshold_rule& rule) const {
  if (samples_.empty() || samples_.back().at - samples_.front().at < rule.duration) return std::nullopt;
  double sum = 0;
  int values = 0;
  for (auto s = samples_.rbegin(); s != samples_.rend() && samples_.back().at - s->at < rule.duration; ++s) {
    const auto value = s->values[static_cast<std::size_t>(rule.metric)];
    if (!std::isfinite(value)) continue; // the backlog while nobody works; a moment of it must not outweigh all others
    sum += value;
    ++values;
  }
  return values > 0 ? sum / values : std::numeric_limits<double>::infinity();
}

bool threshold_policy::may_act(const threshold_rule& rule, core::time_point now) const {
  return !changed_at_ || now - *changed_at_ >= rule.cooldown;
}

core::expected<void> threshold_options::validate() const {
  if (out.empty()) return core::fail(core::errc::bad_config, "out: without a rule nothing ever grows");
  for (const auto& [name, rules] : {std::pair{"out", &out}, std::pair{"in", &in}}) {
    for (std::size_t i = 0; i < rules->size(); ++i) {
      const auto& rule = (*rules)[i];
      auto right = check::above_zero("duration", rule.duration)
                       .and_then([&] { return check::at_least("cooldown", rule.cooldown.count(), 0); })
                       .and_then([&] { return check::at_least("step", rule.step, 1); })
                       .and_then([&] { return check::at_least("threshold", rule.threshold, 0); });
      if (!right) return core::fail(fmt::format("{}[{}]", name, i), std::move(right).error());
    }
  }
  return {};
}

} // namespace penstock::scaling
