#include "scaling/source/prometheus.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "scaling/source/pool_metrics.hpp"

namespace penstock::scaling {
namespace {

using nlohmann::json;

struct point {
  double at = 0; ///< seconds since 1970, by the server's clock
  double value = 0;
};

struct series {
  metric_sample last;
  double last_at = 0;
  std::vector<point> points;
};

/// `[time, "value"]`, as the API writes it.
std::optional<point> read_point(const json& pair) {
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_string()) return std::nullopt;
  const auto text = pair[1].get<std::string>();
  point out{pair[0].get<double>(), 0};
  if (text == "NaN") {
    out.value = std::numeric_limits<double>::quiet_NaN();
    return out;
  }
  if (text == "+Inf" || text == "-Inf") {
    out.value = std::numeric_limits<double>::infinity() * (text.front() == '-' ? -1 : 1);
    return out;
  }
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out.value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return out;
}

std::optional<series> read_series(const json& entry) {
  const auto metric = entry.is_object() ? entry.find("metric") : entry.end();
  const auto values = entry.is_object() ? entry.find("values") : entry.end();
  if (!entry.is_object() || metric == entry.end() || values == entry.end() || !metric->is_object() ||
      !values->is_array() || values->empty()) {
    return std::nullopt;
  }
  series out;
  for (const auto& [key, value] : metric->items()) {
    if (!value.is_string()) return std::nullopt;
    (key == "__name__" ? out.last.name : out.last.labels[key]) = value.get<std::string>();
  }
  for (const auto& pair : *values) {
    const auto read = read_point(pair);
    if (!read) return std::nullopt;
    out.points.push_back(*read);
  }
  out.last.value = out.points.back().value;
  out.last_at = out.points.back().at;
  return out;
}

/// How far a counter went from the first point not before `from`; one that fell began at 0 again.
point increase_of(const std::vector<point>& points, double from) {
  point out;
  const point* before = nullptr;
  const point* first = nullptr;
  for (const auto& each : points) {
    if (each.at < from) continue;
    if (before != nullptr) out.value += each.value >= before->value ? each.value - before->value : each.value;
    if (first == nullptr) first = &each;
    before = &each;
    out.at = each.at - first->at;
  }
  return out;
}

/// Text within quotes of PromQL.
std::string promql_text(std::string_view text) {
  std::string out{"\""};
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

class prometheus final : public signal_source {
 public:
  prometheus(prometheus_options options, std::function<core::time_point()> clock)
      : options_{std::move(options)}, clock_{std::move(clock)}, http_{{options_.limit, options_.limit,
                                                                       std::size_t{16} << 20U}} {}

  core::expected<signals> read() override {
    const auto asked = clock_();
    const auto now = server_time();
    if (!now) return tl::unexpected{now.error()};
    const auto all = role_series(*now);
    if (!all) return tl::unexpected{all.error()};
    std::vector<metric_sample> last;
    pool_increase increase;
    double oldest = 0;
    std::string stale;
    for (const auto& each : *all) {
      const auto age = std::max(0.0, *now - each.last_at);
      // A series that ended (a head that is gone) still has samples in the range; others of its family hold.
      if (age > static_cast<double>(options_.stale_after.count())) {
        stale = fmt::format("{}{{role=\"{}\"}} is stale: its last sample is {:.0f} s old", each.last.name,
                            options_.role, age);
        continue;
      }
      oldest = std::max(oldest, age);
      last.push_back(each.last);
      add_to(increase, each, *now);
    }
    auto out = signals_of(last, options_.role, increase);
    if (!out && out.error().code == core::errc::unavailable && !stale.empty()) {
      return core::fail(core::errc::unavailable, options_.url + ": " + stale);
    }
    if (!out) return core::fail(options_.url, out.error());
    out->at = asked - std::chrono::duration_cast<core::time_point::duration>(core::seconds{oldest});
    return out;
  }

 private:
  void add_to(pool_increase& increase, const series& each, double now) const {
    if (each.last.name != finished_family && each.last.name != late_family) return;
    const auto went = increase_of(each.points, now - static_cast<double>(options_.window.count()));
    increase.over = std::max(increase.over, core::seconds{went.at});
    (each.last.name == finished_family ? increase.finished : increase.late) += went.value;
  }

  core::expected<double> server_time() {
    const auto data = query("time()", std::nullopt);
    if (!data) return tl::unexpected{data.error()};
    const auto read = read_point(data->value("result", json{}));
    if (data->value("resultType", "") != "scalar" || !read) return corrupt("its time is none");
    return read->value;
  }

  core::expected<std::vector<series>> role_series(double now) {
    // Long enough to tell what is stale from what is absent.
    const auto range = std::max(options_.window, 2 * options_.stale_after);
    const auto data = query(
        fmt::format("{{__name__=~\"{}.+\",role={}}}[{}s]", pool_prefix, promql_text(options_.role), range.count()),
        now);
    if (!data) return tl::unexpected{data.error()};
    const auto result = data->find("result");
    if (data->value("resultType", "") != "matrix" || result == data->end() || !result->is_array()) {
      return corrupt("an answer that is no matrix");
    }
    std::vector<series> out;
    for (const auto& each : *result) {
      auto read = read_series(each);
      if (!read) return corrupt("a series that is none");
      out.push_back(std::move(*read));
    }
    return out;
  }

  core::expected<json> query(const std::string& text, std::optional<double> at) {
    jobs::azure::http_request request;
    request.url = options_.url + "/api/v1/query?query=" + jobs::azure::percent_encoded(text);
    if (at) request.url += fmt::format("&time={:.3f}", *at);
    if (!options_.token.empty()) request.headers.emplace_back("Authorization", "Bearer " + options_.token);
    const auto answer = http_.once(request);
    if (!answer) return core::fail("prometheus", answer.error());
    auto body = json::parse(answer->body, nullptr, false);
    if (!body.is_object() || body.value("status", json{}) != "success") {
      const auto why = body.is_object() && body.contains("error") && body["error"].is_string()
                           ? body["error"].get<std::string>().substr(0, 400)
                           : std::string{"no answer of a Prometheus server"};
      return core::fail(core::errc::unavailable, fmt::format("{}: status {}: {}", options_.url, answer->status, why));
    }
    auto data = body.value("data", json{});
    if (!data.is_object() || !data.value("resultType", json{}).is_string()) return corrupt("an answer without data");
    return data;
  }

  [[nodiscard]] tl::unexpected<core::error> corrupt(std::string_view what) const {
    return core::fail(core::errc::corrupt, fmt::format("{}: {}", options_.url, what));
  }

  prometheus_options options_;
  std::function<core::time_point()> clock_;
  jobs::azure::http_client http_;
};

} // namespace

core::expected<void> prometheus_options::validate() const {
  const auto wrong = [](const char* key, std::string_view why) {
    return core::fail(core::errc::bad_config, fmt::format("prometheus.{}: {}", key, why));
  };
  if (!url.starts_with("http://") && !url.starts_with("https://")) return wrong("url", "must be an http address");
  if (url.ends_with('/')) return wrong("url", "must not end with a slash");
  if (role.empty() || role.find('\n') != std::string::npos) return wrong("role", "must name a role");
  if (window.count() < 1) return wrong("window", "must be at least 1 s");
  if (stale_after.count() < 1) return wrong("stale_after", "must be at least 1 s");
  if (limit.count() < 1) return wrong("limit", "must be above 0");
  if (token.find_first_of("\r\n") != std::string::npos) return wrong("token", "must be one line");
  return {};
}

core::expected<source_ptr> open_prometheus(const prometheus_options& options, std::function<core::time_point()> clock) {
  if (auto valid = options.validate(); !valid) return tl::unexpected{valid.error()};
  return std::make_unique<prometheus>(options, std::move(clock));
}

} // namespace penstock::scaling
