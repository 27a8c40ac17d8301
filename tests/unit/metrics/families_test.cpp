#include "metrics/families.hpp"

#include <set>
#include <string>

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
  const auto text = registry.expose();
  std::size_t help_lines = 0;
  for (std::size_t at = text.find("# HELP "); at != std::string::npos; at = text.find("# HELP ", at + 1)) ++help_lines;
  CHECK(help_lines == metrics::families().size());
  for (const auto& family : metrics::families()) {
    CHECK(text.find("# TYPE " + std::string{family.name} + " " + std::string{family.type}) != std::string::npos);
  }
}
