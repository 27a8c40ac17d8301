#include "scaling/azure/custom_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "scaling/azure/arm.hpp"

namespace penstock::scaling::azure {
namespace {

using jobs::azure::http_response;
using nlohmann::json;

std::string iso_time(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

bool may_pass(const http_response& answer) { return jobs::azure::is_passing(answer.status); }

} // namespace

core::expected<void> custom_metrics_options::validate() const {
  const auto wrong = [](const char* key, std::string_view why) {
    return core::fail(core::errc::bad_config, fmt::format("azure_monitor.{}: {}", key, why));
  };
  if (!endpoint.starts_with("http") || endpoint.ends_with('/')) {
    return wrong("endpoint", "must be https://REGION.monitoring.azure.com, is \"" + endpoint + "\"");
  }
  if (!resource_id.starts_with("/subscriptions/") || resource_id.find("/providers/") == std::string::npos) {
    return wrong("resource_id", "must name a resource (/subscriptions/…/providers/…), is \"" + resource_id + "\"");
  }
  if (name_space.empty()) return wrong("namespace", "must not be empty");
  if (interval.count() < 1) return wrong("interval", "must be at least 1 s");
  return {};
}

custom_metrics::custom_metrics(custom_metrics_options options, std::shared_ptr<jobs::azure::credential> let_in,
                               std::shared_ptr<jobs::azure::http_client> http, jobs::azure::retry_rules rules,
                               calendar ours)
    : options_{std::move(options)}, let_in_{std::move(let_in)}, http_{std::move(http)}, rules_{std::move(rules)},
      ours_{std::move(ours)}, due_{ours_() + options_.interval} {}

void custom_metrics::add(std::string_view metric, std::string_view role, double value) {
  if (!std::isfinite(value)) return; // JSON has no way to write it
  auto& into = gathered_[std::string{metric}][std::string{role}];
  into.min = into.count == 0 ? value : std::min(into.min, value);
  into.max = into.count == 0 ? value : std::max(into.max, value);
  into.sum += value;
  ++into.count;
}

core::expected<void> custom_metrics::flush() {
  const auto now = ours_();
  // A calendar that was set back must not silence the metrics for as long.
  due_ = std::min(due_, now + options_.interval);
  if (now < due_) return {};
  due_ = now + options_.interval;
  core::expected<void> out;
  for (const auto& [metric, series] : std::exchange(gathered_, {})) {
    if (auto sent = send(metric, series); !sent && out) out = sent;
  }
  return out;
}

core::expected<void> custom_metrics::send(const std::string& metric, const std::map<std::string, summary>& series) {
  const auto what = "metric " + metric;
  const auto before = ahead_;
  auto answer = post(metric, series);
  // A time that is too far off is refused; the answer tells the right one.
  if (answer && answer->status == 400 && ahead_ != before) answer = post(metric, series);
  if (!answer) return core::fail(what, answer.error());
  if (answer->status >= 300) return tl::unexpected{read_refusal(*answer).as_error(what)};
  return {};
}

core::expected<http_response> custom_metrics::post(const std::string& metric,
                                                   const std::map<std::string, summary>& series) {
  json lines = json::array();
  for (const auto& [role, each] : series) {
    lines.push_back(
        {{"dimValues", {role}}, {"min", each.min}, {"max", each.max}, {"sum", each.sum}, {"count", each.count}});
  }
  const json body{
      {"time", iso_time(ours_() + ahead_)},
      {"data",
       {{"baseData",
         {{"metric", metric}, {"namespace", options_.name_space}, {"dimNames", {"role"}}, {"series", lines}}}}}};
  jobs::azure::http_request request;
  request.method = "POST";
  request.url = options_.endpoint + options_.resource_id + "/metrics";
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body.dump();
  auto answer = jobs::azure::call_patiently(*http_, *let_in_, request, rules_, may_pass);
  if (answer) {
    if (const auto date = jobs::azure::parse_http_date(answer->header("date")); date >= 0) {
      const auto off = std::chrono::sys_seconds{std::chrono::seconds{date / 1'000}} - ours_();
      constexpr std::chrono::seconds on_the_way{10};
      ahead_ = std::chrono::abs(off) > on_the_way ? off : std::chrono::seconds{0};
    }
  }
  return answer;
}

} // namespace penstock::scaling::azure
