#include <atomic>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "scaling/source/head.hpp"
#include "scaling/source/pool_metrics.hpp"
#include "scaling/source/prometheus.hpp"
#include "tests/unit/jobs/http_door.hpp"
#include "tests/unit/jobs/scratch.hpp"
#include "tests/unit/jobs/server.hpp"
#include "tests/unit/scaling_fleet/rig.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using nlohmann::json;
using scaling::metric_sample;
using test::holds;
using test::http_answer;
using test::take;

namespace {

constexpr core::time_point start{std::chrono::hours{1}};

/// What a head exports of its pools, with the counters of role `worker` at given values.
std::string exposition(int finished, int late, const std::string& without = "") {
  std::string out;
  const auto add = [&](const std::string& line) {
    if (without.empty() || !line.starts_with(without)) out += line + "\n";
  };
  add("# TYPE penstock_pool_finished_items_total counter");
  add("penstock_pool_finished_items_total{role=\"worker\"} " + std::to_string(finished));
  add("penstock_pool_finished_items_total{role=\"other\"} 999999");
  add("# TYPE penstock_pool_late_items_total counter");
  add("penstock_pool_late_items_total{role=\"worker\"} " + std::to_string(late));
  add("penstock_pool_arrival_rate_items_per_second{role=\"worker\"} 212");
  add("penstock_pool_service_rate_items_per_second{role=\"worker\"} 38");
  add("penstock_pool_utilisation_ratio{role=\"worker\",stage=\"decode\"} 0.3");
  add("penstock_pool_utilisation_ratio{role=\"worker\",stage=\"inference\"} 0.5");
  add("penstock_pool_worker_utilisation_ratio{role=\"worker\"} 0.8");
  add("penstock_pool_backlog_items{role=\"worker\"} 1900");
  add("penstock_pool_backlog_of_jobs_items{role=\"worker\"} 400");
  add("penstock_pool_oldest_waiting_seconds{role=\"worker\"} 9.5");
  add("penstock_pool_live_streams{role=\"worker\"} 12");
  add("penstock_pool_streams_per_worker{role=\"worker\"} 8");
  for (const auto* state : {"joining\"} 1", "warming\"} 2", "ready\"} 4", "draining\"} 1", "lost\"} 0"}) {
    add("penstock_pool_workers{role=\"worker\",state=\"" + std::string{state});
  }
  add("process_cpu_seconds_total 17");
  return out;
}

std::vector<metric_sample> samples_without(const std::string& family) {
  return take(scaling::parse_text_format(exposition(10, 1, family), scaling::pool_prefix));
}

void check_gauges(const scaling::signals& seen) {
  CHECK(seen.arrivals_per_s == 212);
  CHECK(seen.service_per_s == 38);
  CHECK(seen.utilisation == 0.8);
  CHECK(seen.backlog_items == 1'900);
  CHECK(seen.oldest == 9.5s);
  CHECK(seen.live_streams == 12);
  CHECK(seen.streams_per_worker == 8);
  CHECK(seen.workers == scaling::worker_counts{1, 2, 4, 1, 0});
}

} // namespace

TEST_CASE("a family that is absent, or no number, is an error that names it") {
  for (const auto* family :
       {"penstock_pool_arrival_rate_items_per_second", "penstock_pool_service_rate_items_per_second",
        "penstock_pool_worker_utilisation_ratio", "penstock_pool_backlog_items", "penstock_pool_oldest_waiting_seconds",
        "penstock_pool_workers"}) {
    INFO(family);
    auto read = scaling::signals_of(samples_without(family), "worker", {});
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::unavailable);
    CHECK(holds(read.error().message, family));
    CHECK(holds(read.error().message, "is absent"));
    for (const auto bad : {std::nan(""), double{INFINITY}, -1.0}) {
      auto samples = samples_without("");
      for (auto& each : samples) {
        if (each.name == family) each.value = bad;
      }
      read = scaling::signals_of(samples, "worker", {});
      REQUIRE_FALSE(read);
      CHECK(read.error().code == core::errc::corrupt);
      CHECK(holds(read.error().message, family));
    }
  }
  CHECK(take(scaling::signals_of(samples_without("penstock_pool_live_streams"), "worker", {})).live_streams == 0);
  CHECK(holds(scaling::signals_of(samples_without(""), "nobody", {}).error().message, "role=\"nobody\""));
}

TEST_CASE("several heads' pools are added up; ages and utilisations are the largest, the service rate the mean") {
  auto samples = samples_without("");
  const auto second = samples;
  for (auto each : second) {
    each.labels["instance"] = "head-2";
    if (holds(each.name, "oldest")) each.value = 20;
    if (holds(each.name, "service_rate")) each.value = 40;
    samples.push_back(std::move(each));
  }
  const auto seen = take(scaling::signals_of(samples, "worker", {10s, 500, 25}));
  CHECK(seen.arrivals_per_s == 424);
  CHECK(seen.backlog_items == 3'400); // their jobs are the same
  CHECK(seen.workers.ready == 8);
  CHECK(seen.oldest == 20s);
  CHECK(seen.utilisation == 0.8);
  CHECK(seen.service_per_s == 39);
  CHECK(seen.served_per_s == 50);
  CHECK(seen.late_share == 0.05);
  CHECK(take(scaling::signals_of(samples, "worker", {10s, 0, 5})).late_share == 1); // all given up
}

TEST_CASE("a head is read by itself: gauges at once, counters from the second reading on, over the window") {
  std::atomic<int> finished{1'000};
  std::atomic<int> late{0};
  std::string target;
  test::http_door door{[&](const test::seen_request& request) {
    target = request.line;
    return http_answer(200, "Content-Type: text/plain; version=0.0.4\r\n", exposition(finished, late));
  }};
  auto now = start;
  scaling::head_options options;
  options.url = "http://127.0.0.1:" + std::to_string(door.port());
  options.window = 20s;
  const auto source = take(scaling::open_head(options, [&] { return now; }));
  auto seen = take(source->read());
  CHECK(target == "GET /metrics HTTP/1.1");
  check_gauges(seen);
  CHECK(seen.at == start);
  CHECK(seen.window == 30s); // of the gauges
  CHECK(seen.served_per_s == 0);
  for (int reading = 0; reading < 6; ++reading) {
    now += 10s;
    finished += reading < 3 ? 100 : 400;
    late += reading < 3 ? 0 : 40;
    seen = take(source->read());
  }
  CHECK(seen.served_per_s == 40); // the last 20 s only
  CHECK(seen.late_share == 0.1);
  finished = 50; // started again
  late = 0;
  now += 10s;
  CHECK(take(source->read()).served_per_s == 0);
  finished = 80;
  now += 10s;
  CHECK(take(source->read()).served_per_s == 3);
}

TEST_CASE("a head that is away, refuses, or is cut off in the middle is an error") {
  std::string answer;
  scaling::head_options options;
  {
    test::http_door door{[&](const test::seen_request&) -> std::optional<std::string> {
      if (answer.empty()) return std::nullopt;
      return answer;
    }};
    options.url = "http://127.0.0.1:" + std::to_string(door.port());
    const auto source = take(scaling::open_head(options));
    CHECK(source->read().error().code == core::errc::unavailable);
    answer = http_answer(503, "", "starting");
    CHECK(holds(source->read().error().message, "status 503"));
    const auto text = exposition(1, 0);
    answer = http_answer(200, "", text.substr(0, text.size() - 5));
    CHECK(source->read().error().code == core::errc::corrupt);
    answer = http_answer(200, "", "<html></html>\n");
    CHECK(source->read().error().code == core::errc::corrupt);
    answer = http_answer(200, "", "");
    CHECK(holds(source->read().error().message, "penstock_pool_workers{role=\"worker\",state=\"joining\"} is absent"));
  }
  CHECK(take(scaling::open_head(options))->read().error().code == core::errc::unavailable);
  options.url += '/';
  CHECK(holds(scaling::open_head(options).error().message, "head.url"));
}

namespace {

/// A Prometheus server with the samples of `exposition` every 10 s, the last `age` ago by its clock.
class fake_prometheus {
 public:
  double age = 3;
  double now = 1'790'000'000.5;
  std::string without;
  int restarted_at = -1; ///< sample, of 6, at which counters begin at 0 again
  std::string raw;       ///< is answered instead
  std::string last_query;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(door_.port()); }

 private:
  std::string answer(const test::seen_request& request) {
    if (!raw.empty()) return raw;
    const auto target = request.line.substr(0, request.line.rfind(' '));
    const auto start_of = target.find("query=") + 6;
    const auto query = jobs::azure::percent_decoded(target.substr(start_of, target.find('&') - start_of));
    if (query == "time()") {
      return success({{"resultType", "scalar"}, {"result", {now, std::to_string(now)}}});
    }
    last_query = query + target.substr(target.find("&time="));
    json result = json::array();
    for (const auto& each : take(scaling::parse_text_format(exposition(700, 30, without), scaling::pool_prefix))) {
      if (each.label("role") != "worker") continue;
      json metric{{"__name__", each.name}, {"instance", "head:8080"}, {"job", "penstock"}};
      for (const auto& [key, value] : each.labels) metric[key] = value;
      json values = json::array();
      const auto counts = each.name.ends_with("_total");
      for (int sample = 0; sample < 6; ++sample) {
        const auto share = restarted_at < 0 || sample < restarted_at ? sample + 1 : sample + 1 - restarted_at;
        const auto value = counts ? each.value * share / 6 : each.value;
        values.push_back({now - age - 10 * (5 - sample), json(value).dump()});
      }
      result.push_back({{"metric", metric}, {"values", values}});
    }
    return success({{"resultType", "matrix"}, {"result", result}});
  }

  static std::string success(const json& data) {
    return http_answer(200, "Content-Type: application/json\r\n", json{{"status", "success"}, {"data", data}}.dump());
  }

  test::http_door door_{[this](const test::seen_request& request) { return answer(request); }};
};

scaling::source_ptr source_of(const fake_prometheus& server) {
  scaling::prometheus_options options;
  options.url = server.url();
  options.window = 35s;
  return take(scaling::open_prometheus(options, [] { return start; }));
}

} // namespace

TEST_CASE("a Prometheus server is asked for a role's samples, and their age is counted by its clock") {
  fake_prometheus server;
  const auto source = source_of(server);
  const auto seen = take(source->read());
  check_gauges(seen);
  CHECK(seen.window == 30s); // of the gauges
  CHECK(core::seconds{start - seen.at}.count() == Approx(3.0));
  // Four samples in 35 s: three steps of 700/6 in 30 s.
  CHECK(seen.served_per_s == Approx(700.0 / 60));
  CHECK(seen.late_share == Approx(30.0 / 700));
  CHECK(server.last_query == "{__name__=~\"penstock_pool_.+\",role=\"worker\"}[120s]&time=1790000000.500");
  server.now += 1e6; // its clock jumps: nothing of ours depends on it
  CHECK(core::seconds{start - take(source->read()).at}.count() == Approx(3.0));
}

TEST_CASE("counters that began at 0 again lose nothing of the window") {
  fake_prometheus server;
  server.restarted_at = 4;
  const auto source = source_of(server);
  // Samples 3, 4, 1 and 2 sixths: 1 step, then 1 from 0, then 1.
  CHECK(take(source->read()).served_per_s == Approx(700.0 / 60));
}

TEST_CASE("samples that are stale, absent or no numbers freeze the fleet with their names") {
  fake_prometheus server;
  const auto source = source_of(server);
  server.age = 61;
  auto read = source->read();
  REQUIRE_FALSE(read);
  CHECK(read.error().code == core::errc::unavailable);
  CHECK(holds(read.error().message, "is stale: its last sample is 61 s old"));
  server.age = 2;
  server.without = "penstock_pool_backlog_items";
  read = source->read();
  REQUIRE_FALSE(read);
  CHECK(holds(read.error().message, "penstock_pool_backlog_items{role=\"worker\"} is absent"));
  server.without.clear();
  take(source->read());
}

TEST_CASE("a Prometheus server that is away, or answers what it should not, is an error that says so") {
  fake_prometheus server;
  const auto source = source_of(server);
  const std::vector<std::pair<std::string, const char*>> cases{
      {http_answer(503, "", R"({"status": "error", "errorType": "unavailable", "error": "starting"})"), "starting"},
      {http_answer(422, "", R"({"status": "error", "errorType": "execution", "error": "too many samples"})"),
       "status 422: too many samples"},
      {http_answer(200, "", "<html>"), "no answer of a Prometheus server"},
      {http_answer(200, "", "[]"), "no answer of a Prometheus server"},
      {http_answer(200, "", R"({"status": "success"})"), "without data"},
      {http_answer(200, "", R"({"status": "success", "data": {"resultType": "scalar"}})"), "its time is none"},
      {http_answer(200, "", R"({"status": "success", "data": {"resultType": "scalar", "result": [1, "x"]}})"),
       "its time is none"}};
  for (const auto& [answer, why] : cases) {
    server.raw = answer;
    const auto read = source->read();
    REQUIRE_FALSE(read);
    CHECK(holds(read.error().message, why));
  }
  scaling::prometheus_options options;
  options.url = "http://127.0.0.1:" + std::to_string(test::free_port());
  CHECK(take(scaling::open_prometheus(options))->read().error().code == core::errc::unavailable);
  options.url = "127.0.0.1";
  CHECK(holds(scaling::open_prometheus(options).error().message, "prometheus.url"));
}

TEST_CASE("the real Prometheus server is read: fresh, then stale when its head is gone") {
  const auto program = test::find_program("prometheus");
  if (!program) {
    WARN("skipped: there is no prometheus on this machine");
    return;
  }
  const test::scratch folder;
  std::atomic<int> finished{0};
  auto door = std::make_unique<test::http_door>([&](const test::seen_request&) {
    finished += 100;
    return http_answer(200, "Content-Type: text/plain; version=0.0.4\r\n", exposition(finished, 0));
  });
  std::ofstream{folder.path("prometheus.yml")}
      << "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: penstock\n"
         "    static_configs: [{targets: [\"127.0.0.1:"
      << door->port() << "\"]}]\n";
  const auto port = test::free_port();
  test::server server{{program->string(), "--config.file=" + folder.path("prometheus.yml").string(),
                       "--storage.tsdb.path=" + folder.path("data").string(),
                       "--web.listen-address=127.0.0.1:" + std::to_string(port)},
                      folder.path("log")};
  scaling::prometheus_options options;
  options.url = "http://127.0.0.1:" + std::to_string(port);
  options.stale_after = 4s;
  const auto source = take(scaling::open_prometheus(options));
  scaling::signals seen;
  REQUIRE(test::wait_until(
      [&] {
        const auto read = source->read();
        if (read) seen = *read;
        return read && read->served_per_s > 0;
      },
      60s));
  check_gauges(seen);
  CHECK(seen.served_per_s == Approx(100).epsilon(0.2));
  CHECK(core::clock::now() - seen.at < 5s);
  door.reset();
  std::string why;
  CHECK(test::wait_until(
      [&] {
        const auto read = source->read();
        if (!read) why = read.error().message;
        return !read;
      },
      30s));
  CHECK(holds(why, "is stale"));
}
