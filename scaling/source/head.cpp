#include "scaling/source/head.hpp"

#include <deque>
#include <fmt/format.h>
#include <memory>
#include <utility>

#include "jobs/azure/http.hpp"
#include "scaling/source/pool_metrics.hpp"

namespace penstock::scaling {
namespace {

/// Asks a head's door.
class door_metrics {
 public:
  explicit door_metrics(head_options options)
      : options_{std::move(options)}, http_{std::make_shared<jobs::azure::http_client>(jobs::azure::http_limits{
                                          options_.limit, options_.limit, std::size_t{64} << 20U})} {}

  core::expected<std::string> operator()() const {
    jobs::azure::http_request request;
    request.url = options_.url + "/metrics";
    request.headers.emplace_back("Accept", "text/plain;version=0.0.4");
    if (!options_.token.empty()) request.headers.emplace_back("Authorization", "Bearer " + options_.token);
    auto answer = http_->once(request);
    if (!answer) return core::fail("head", answer.error());
    if (answer->status != 200) {
      return core::fail(core::errc::unavailable, fmt::format("{}: status {}", request.url, answer->status));
    }
    return std::move(answer->body);
  }

 private:
  head_options options_;
  std::shared_ptr<jobs::azure::http_client> http_;
};

class head_metrics final : public signal_source {
 public:
  head_metrics(head_options options, metrics_text text, std::function<core::time_point()> clock)
      : options_{std::move(options)}, text_{std::move(text)}, clock_{std::move(clock)} {}

  core::expected<signals> read() override {
    const auto asked = clock_();
    const auto text = text_();
    if (!text) return tl::unexpected{text.error()};
    const auto samples = parse_text_format(*text, pool_prefix);
    if (!samples) return core::fail(options_.url, samples.error());
    auto out = signals_of(*samples, options_.role, since_before(asked, *samples));
    if (!out) return core::fail(options_.url, out.error());
    out->at = asked;
    return out;
  }

 private:
  struct totals {
    core::time_point at;
    double finished = 0;
    double late = 0;
  };

  /// Keeps the counters, and gives how far they went since the oldest reading of the window.
  pool_increase since_before(core::time_point now, const std::vector<metric_sample>& samples) {
    totals last{now, 0, 0};
    for (const auto& each : samples) {
      if (each.label("role") != options_.role) continue;
      if (each.name == finished_family) last.finished += each.value;
      if (each.name == late_family) last.late += each.value;
    }
    // A head that was started again counts from 0: what was before tells nothing.
    if (!kept_.empty() && (last.finished < kept_.back().finished || last.late < kept_.back().late)) kept_.clear();
    while (kept_.size() > 1 && now - kept_[1].at >= options_.window) kept_.pop_front();
    pool_increase out;
    if (!kept_.empty()) {
      const auto& first = kept_.front();
      out = {now - first.at, last.finished - first.finished, last.late - first.late};
    }
    constexpr std::size_t most = 10'000;
    if (kept_.size() == most) kept_.pop_front();
    kept_.push_back(last);
    return out;
  }

  head_options options_;
  metrics_text text_;
  std::function<core::time_point()> clock_;
  std::deque<totals> kept_;
};

} // namespace

core::expected<void> head_options::validate() const {
  const auto wrong = [](const char* key, std::string_view why) {
    return core::fail(core::errc::bad_config, fmt::format("head.{}: {}", key, why));
  };
  if (!url.starts_with("http://") && !url.starts_with("https://")) return wrong("url", "must be an http address");
  if (url.ends_with('/')) return wrong("url", "must not end with a slash");
  if (role.empty()) return wrong("role", "must name a role");
  if (window.count() < 1) return wrong("window", "must be at least 1 s");
  if (limit.count() < 1) return wrong("limit", "must be above 0");
  if (token.find_first_of("\r\n") != std::string::npos) return wrong("token", "must be one line");
  return {};
}

source_ptr make_head(const head_options& options, metrics_text text, std::function<core::time_point()> clock) {
  return std::make_unique<head_metrics>(options, std::move(text), std::move(clock));
}

core::expected<source_ptr> open_head(const head_options& options, std::function<core::time_point()> clock) {
  if (auto valid = options.validate(); !valid) return tl::unexpected{valid.error()};
  return make_head(options, door_metrics{options}, std::move(clock));
}

} // namespace penstock::scaling
