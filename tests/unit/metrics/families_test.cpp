#include "metrics/families.hpp"

#include <array>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>

#include "metrics/manual.hpp"
#include "tests/catch.hpp"

using namespace penstock;

TEST_CASE("every metric family is named after the program and listed once", "[metrics]") {
  std::set<std::string_view> names;
  for (const auto& family : metrics::families()) {
    CHECK(family.name.starts_with("penstock_"));
    CHECK_FALSE(family.help.empty());
    CHECK((family.type == "counter") == family.name.ends_with("_total"));
    CHECK(names.insert(family.name).second);
  }
}

TEST_CASE("a stream's series carry its name, and drops their reason", "[metrics]") {
  metrics::registry registry;
  const auto series = registry.stream("door");
  series.received.add(3);
  series.dropped[static_cast<std::size_t>(core::drop_reason::corrupt)].add(2);
  const auto text = registry.expose();
  CHECK(text.find(R"(penstock_stream_received_frames_total{stream="door"} 3)") != std::string::npos);
  CHECK(text.find(R"(penstock_stream_dropped_frames_total{reason="corrupt",stream="door"} 2)") != std::string::npos);
}

TEST_CASE("streams beyond the limit share one label, and known ones keep theirs", "[metrics]") {
  metrics::registry registry{2};
  registry.stream("a").received.add();
  registry.stream("b").received.add();
  registry.stream("c").received.add();
  registry.stream("d").received.add();
  registry.stream("a").received.add();
  const auto text = registry.expose();
  CHECK(text.find(R"(received_frames_total{stream="a"} 2)") != std::string::npos);
  CHECK(text.find(R"(received_frames_total{stream="other"} 2)") != std::string::npos);
  CHECK(text.find(R"(stream="c")") == std::string::npos);
}

TEST_CASE("every listed family appears once its series exist, and no other does", "[metrics]") {
  metrics::registry registry;
  registry.set_build_info("1");
  registry.set_model_info("m", "d", "e", "cpu");
  CHECK_NOTHROW(registry.stream("s"));
  for (auto s : metrics::all_stages) CHECK_NOTHROW(registry.stage_of(s));
  CHECK_NOTHROW(registry.inference());
  CHECK_NOTHROW(registry.dispatch());
  CHECK_NOTHROW(registry.sink("jsonl"));
  CHECK_NOTHROW(registry.links());
  CHECK_NOTHROW(registry.http());
  CHECK_NOTHROW(registry.http_requests("/", "GET", 200));
  CHECK_NOTHROW(registry.http_duration("/", "GET"));
  CHECK_NOTHROW(registry.http_refused("token"));
  CHECK_NOTHROW(registry.jobs());
  CHECK_NOTHROW(registry.jobs_dead("corrupt"));
  CHECK_NOTHROW(registry.pool("worker", metrics::all_stages));
  CHECK_NOTHROW(registry.scaling("worker"));
  CHECK_NOTHROW(registry.worker_phase("worker"));
  const auto text = registry.expose();
  std::size_t help_lines = 0;
  for (std::size_t at = text.find("# HELP "); at != std::string::npos; at = text.find("# HELP ", at + 1)) ++help_lines;
  CHECK(help_lines == metrics::families().size());
  for (const auto& family : metrics::families()) {
    CHECK(text.find("# TYPE " + std::string{family.name} + " " + std::string{family.type}) != std::string::npos);
  }
}

TEST_CASE("a role has series of the stages that it runs, and of every state", "[metrics]") {
  metrics::registry registry;
  const auto series = registry.pool("gpu", std::array{metrics::stage::inference, metrics::stage::postprocess});
  series.utilisation[static_cast<std::size_t>(metrics::stage::decode)].set(1); // goes nowhere
  series.utilisation[static_cast<std::size_t>(metrics::stage::inference)].set(0.5);
  series.workers[static_cast<std::size_t>(metrics::worker_state::draining)].set(2);
  series.backlog_seconds.set(std::numeric_limits<double>::infinity());
  const auto text = registry.expose();
  CHECK(text.find(R"(penstock_pool_utilisation_ratio{role="gpu",stage="inference"} 0.5)") != std::string::npos);
  CHECK(text.find(R"(stage="decode")") == std::string::npos);
  CHECK(text.find(R"(penstock_pool_workers{role="gpu",state="draining"} 2)") != std::string::npos);
  CHECK(text.find(R"(penstock_pool_workers{role="gpu",state="joining"} 0)") != std::string::npos);
  CHECK(text.find(R"(penstock_pool_backlog_seconds{role="gpu"} +Inf)") != std::string::npos);
}

TEST_CASE("units are those of the names", "[metrics]") {
  const auto unit = [](std::string_view name) { return metrics::unit_of({name, "", "", ""}); };
  CHECK(unit("penstock_stream_received_frames_total") == "frames");
  CHECK(unit("penstock_stage_busy_seconds_total") == "seconds");
  CHECK(unit("penstock_pool_arrival_rate_items_per_second") == "items/s");
  CHECK(unit("penstock_pool_utilisation_ratio") == "ratio");
  CHECK(unit("penstock_stream_reconnects_total") == "1");
}

TEST_CASE("the manual of metrics is what the families say", "[metrics]") {
  std::ifstream file{"docs/metrics.md"};
  std::stringstream text;
  text << file.rdbuf();
  INFO("renew it: penstock schema --metrics > docs/metrics.md");
  CHECK(text.str() == metrics::markdown_reference());
  for (const auto& family : metrics::families())
    CHECK(text.str().find("| `" + std::string{family.name} + "` | ") != std::string::npos);
}
