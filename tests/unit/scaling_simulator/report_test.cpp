#include "scaling/simulator/report.hpp"

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scaling/simulator/planned.hpp"
#include "scaling/simulator/plot.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scaling_simulator/fixed_policy.hpp"

using namespace penstock::scaling;
using namespace penstock::scaling::simulator;
using penstock::scaling::test::plain;

namespace {

comparison compared() {
  auto what = plain(diurnal(60, 1800, 1800, 0.6, 1), 4);
  what.machines.boot_from_s = what.machines.boot_to_s = 60;
  what.machines.price_per_h = 0.9;
  comparison all;
  all.price_per_h = 0.9;
  auto problem = problem_of(what, 0.01);
  problem.grain = 0.5;
  all.best = *find_optimum(problem);
  all.perfect = *find_optimum(problem_of(what, 0));
  all.runs.push_back(test::simulate(what, [](const signals&) { return 6; }));
  all.runs.push_back(
      test::simulate(what, [](const signals& s) { return static_cast<int>(s.arrivals_per_s / 14) + 1; }));
  return all;
}

/// What is wrong with a document as XML without comments, declarations and CDATA; empty if nothing is.
std::string fault_of(std::string_view xml) {
  std::vector<std::string> open;
  bool rooted = false;
  const auto name_end = [](std::string_view s) {
    return static_cast<std::size_t>(
        std::ranges::find_if(
            s, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != ':'; }) -
        s.begin());
  };
  const auto fault_of_text = [](std::string_view text) -> std::string {
    for (auto at = text.find('&'); at != std::string_view::npos; at = text.find('&', at + 1)) {
      const auto rest = text.substr(at);
      if (!rest.starts_with("&lt;") && !rest.starts_with("&gt;") && !rest.starts_with("&amp;") &&
          !rest.starts_with("&quot;"))
        return "a bare &";
    }
    return text.find('>') != std::string_view::npos ? "a bare >" : "";
  };
  while (!xml.empty()) {
    const auto text = xml.substr(0, xml.find('<'));
    if (const auto fault = fault_of_text(text); !fault.empty()) return fault;
    if (open.empty() && text.find_first_not_of(" \n") != std::string_view::npos) return "text outside of the root";
    xml.remove_prefix(text.size());
    if (xml.empty()) break;
    xml.remove_prefix(1);
    if (xml.starts_with('/')) {
      xml.remove_prefix(1);
      const auto name = xml.substr(0, name_end(xml));
      if (open.empty() || open.back() != name) return "</" + std::string{name} + "> ends nothing";
      open.pop_back();
      xml.remove_prefix(name.size());
      if (!xml.starts_with('>')) return "an end tag without end";
      xml.remove_prefix(1);
      continue;
    }
    const std::string name{xml.substr(0, name_end(xml))};
    if (name.empty()) return "a bare <";
    if (open.empty() && std::exchange(rooted, true)) return "a second root";
    xml.remove_prefix(name.size());
    std::vector<std::string> attributes;
    while (xml.starts_with(' ')) {
      xml.remove_prefix(std::min(xml.size(), xml.find_first_not_of(' ')));
      const std::string attribute{xml.substr(0, name_end(xml))};
      if (attribute.empty()) break;
      if (std::ranges::count(attributes, attribute) > 0) return attribute + " stands twice";
      attributes.push_back(attribute);
      xml.remove_prefix(attribute.size());
      if (!xml.starts_with("=\"")) return attribute + " has no value";
      xml.remove_prefix(2);
      const auto value = xml.substr(0, xml.find('"'));
      if (value.size() == xml.size() || value.find('<') != std::string_view::npos) return attribute + " does not end";
      if (const auto fault = fault_of_text(value); !fault.empty()) return fault;
      xml.remove_prefix(value.size() + 1);
    }
    if (xml.starts_with("/>")) {
      xml.remove_prefix(2);
    } else if (xml.starts_with('>')) {
      xml.remove_prefix(1);
      open.push_back(name);
    } else {
      return "<" + name + " does not end";
    }
  }
  if (!open.empty()) return "<" + open.back() + "> does not end";
  return rooted ? "" : "no root";
}

std::size_t count(std::string_view in, std::string_view what) {
  std::size_t n = 0;
  for (auto at = in.find(what); at != std::string_view::npos; at = in.find(what, at + 1)) ++n;
  return n;
}

} // namespace

TEST_CASE("what is no XML is told from what is") {
  CHECK(fault_of("<a b=\"1\"><c/>x &amp; y</a>\n").empty());
  for (const auto* bad : {"", "x", "<a>", "<a></b>", "<a b></a>", "<a b=\"1></a>", "<a>&</a>", "<a/><b/>", "<a>></a>",
                          "<a b=\"1\" b=\"2\"/>", "<a", "<a>< b</a>"})
    CHECK_FALSE(fault_of(bad).empty());
}

TEST_CASE("the picture is well-formed, with every panel, its axes and a legend") {
  auto all = compared();
  all.runs[1].policy = "a<b & \"c\"";
  const auto svg = to_svg(all);
  CHECK(fault_of(svg) == "");
  for (const auto* title : {"Demand", "Workers", "Backlog", "Latency", "Cost"}) {
    INFO(title);
    CHECK(count(svg, ">" + std::string{title}) == 1);
  }
  CHECK(count(svg, "a&lt;b &amp; &quot;c&quot;: ") == 1);
  CHECK(count(svg, ">said: ") == 1);
  CHECK(count(svg, "clairvoyant plan") == 1);
  CHECK(count(svg, "<polyline") == 1 + (1 + 2 * 2) + 2 + 2 + 2);
  CHECK(count(svg, ">30 min<") == 5);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
}

TEST_CASE("a picture of nothing is a picture all the same") {
  CHECK(fault_of(to_svg({})) == "");
  comparison all;
  all.runs.emplace_back();
  CHECK(fault_of(to_svg(all)) == "");
}

TEST_CASE("a picture of a long run has no more points than can be seen") {
  comparison all;
  auto& run = all.runs.emplace_back();
  run.length_s = 1e6;
  for (int i = 0; i < 100'000; ++i) {
    moment m;
    m.at_s = i * 10.0;
    m.ready = i % 7;
    run.moments.push_back(m);
  }
  CHECK(to_svg(all).size() < 200'000);
}

TEST_CASE("the report has the figures of its runs and what they cost over the optimum") {
  const auto all = compared();
  const auto json = to_json(all);
  REQUIRE(json["runs"].size() == 2);
  const auto& first = json["runs"][0];
  const auto& run = all.runs[0];
  CHECK(first["policy"] == "said");
  CHECK(first["arrived"] == run.arrived);
  CHECK(first["within_share"] == run.within_share());
  CHECK(first["latency_s"]["p95"] == run.times.quantile_s(0.95));
  CHECK(first["cost"].get<double>() == Approx(run.instance_s / 3600 * 0.9));
  CHECK(first["cost_over_optimum"].get<double>() == Approx(run.instance_s / all.best->bound_s));
  CHECK(first["moments"].size() == 1800 / 15);
  CHECK(json["optimum"]["bound_cost"].get<double>() == Approx(all.best->bound_s / 3600 * 0.9));
  CHECK(json["optimum"]["bound_cost"] <= json["optimum_nothing_late"]["bound_cost"]);
  CHECK(cost_ratio(all, run) > 1);
  auto alone = all;
  alone.best.reset();
  CHECK(to_json(alone)["runs"][0]["cost_over_optimum"].is_null());
  CHECK(to_json(alone)["optimum"].is_null());
}

TEST_CASE("the optimum's problem is the scenario's: its work, its places, its boots and its bounds") {
  auto what = plain(camera_fleet(100, 2, 600, 1 / 3.0, 1), 4);
  for (auto& c : what.demand.cameras) c = {0, 600};
  what.streams_per_worker = 7;
  what.machines.boot_from_s = 100;
  what.machines.boot_to_s = 200;
  what.machines.warm_s = 5;
  what.controlling.min = 2;
  what.controlling.max = 50;
  const auto p = problem_of(what, 0.02);
  REQUIRE(p.work.size() == 600);
  CHECK(p.work[300] == Approx(10)); // 200 frames a second, of which a worker does 20
  CHECK(p.least[300] == 15);        // 100 cameras, 7 at a worker
  CHECK(p.least_always == 2);
  CHECK(p.most == 50);
  CHECK(p.boot_s == 105);
  CHECK(p.late_share == 0.02);
  what.demand = steady(100, 20'000);
  const auto coarse = problem_of(what, 0.01);
  CHECK(coarse.slot_s == 4);
  CHECK(coarse.work.size() == 5000);
  CHECK(coarse.work[7] == Approx(20));
}

TEST_CASE("a plan with room for what comes unevenly is kept in the simulator") {
  auto what = plain(diurnal(200, 1800, 1800, 0.5, 3), 3);
  what.machines.boot_from_s = what.machines.boot_to_s = 120;
  auto problem = problem_of(what, 0.01);
  problem.grain = 0.5;
  const auto bound_s = find_optimum(problem)->bound_s;
  for (auto& w : problem.work) w *= 1.15;
  const auto roomy = *find_optimum(problem);
  what.machines.initial = roomy.workers.front();
  std::vector<policy_ptr> policies;
  policies.push_back(std::make_unique<planned_policy>(roomy.workers, penstock::core::seconds{1},
                                                      penstock::core::seconds{120}, penstock::core::seconds{15}));
  const auto r = simulator::simulate(what, std::move(policies));
  CHECK(r.within_share() > 0.97);
  CHECK(r.instance_s > bound_s);
  CHECK(r.instance_s < 1.35 * bound_s);
}
