#include "scaling/scaler.hpp"

#include <map>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/scaling/stage.hpp"

using namespace std::chrono_literals;
using namespace penstock;
using namespace penstock::scaling;

namespace {

/// What a scaler sees, and what it did, in words.
struct world {
  core::time_point now = test::start;
  core::expected<signals> seen;
  core::expected<fleet_state> fleet;
  core::expected<std::vector<worker_view>> workers;
  std::shared_ptr<int> wanted = std::make_shared<int>(1);
  std::vector<std::string> done;
  std::vector<core::error> problems;
  bool fails = false; ///< whatever is done

  core::expected<void> act(std::string what) {
    if (fails) return core::fail(core::errc::unavailable, "not now");
    done.push_back(std::move(what));
    return {};
  }

  void has(const std::string& name, worker_stage stage = worker_stage::ready, int leases = 0) {
    fleet->instances.push_back({name, name, instance_state::running, false});
    fleet->target = static_cast<int>(fleet->instances.size());
    workers->push_back({name, stage, leases});
  }
  void lacks(const std::string& name) {
    std::erase_if(*workers, [&](const worker_view& w) { return w.name == name; });
  }
  worker_view& worker(const std::string& name) { return *std::ranges::find(*workers, name, &worker_view::name); }
};

struct fake_source final : signal_source {
  explicit fake_source(world& of) : w{of} {}
  core::expected<signals> read() override {
    auto out = w.seen;
    if (out) out->at = w.now;
    return out;
  }
  world& w;
};

struct fake_workers final : workforce {
  explicit fake_workers(world& of) : w{of} {}
  core::expected<std::vector<worker_view>> observe() override { return w.workers; }
  core::expected<void> drain(const std::string& worker) override { return w.act("drain " + worker); }
  world& w;
};

struct fake_fleet final : fleet {
  explicit fake_fleet(world& of) : w{of} {}
  std::string_view kind() const noexcept override { return "fake"; }
  core::expected<fleet_state> observe() override { return w.fleet; }
  core::expected<void> set_target(int instances) override { return w.act("ask for " + std::to_string(instances)); }
  core::expected<void> retire(const std::vector<std::string>& ids) override {
    std::string all = "retire";
    for (const auto& id : ids) all += " " + id;
    return w.act(all);
  }
  core::expected<void> protect(const std::string& id, bool on) override {
    return w.act((on ? "protect " : "release ") + id);
  }
  std::vector<core::error> problems() override { return std::exchange(w.problems, {}); }
  world& w;
};

controller_options options_to(int max) {
  controller_options out;
  out.max = max;
  return out;
}

scaler scaler_in(world& w, metrics::registry& shown, bool acts = true, std::unique_ptr<leader> lead = nullptr) {
  scaler_parts parts;
  parts.source = std::make_unique<fake_source>(w);
  parts.workers = std::make_unique<fake_workers>(w);
  parts.machines = std::make_unique<fake_fleet>(w);
  parts.lead = std::move(lead);
  parts.policies = [&w]() -> core::expected<std::vector<policy_ptr>> {
    std::vector<policy_ptr> all;
    all.push_back(std::make_unique<test::told_policy>(w.wanted));
    return all;
  };
  parts.shown = shown.scaling("worker");
  parts.clock = [&w] { return w.now; };
  return scaler{options_to(9), std::move(parts), acts};
}

using words = std::vector<std::string>;

words step(world& w, scaler& s) {
  w.done.clear();
  static_cast<void>(s.step());
  w.now += 10s;
  return w.done;
}

double shown(const metrics::registry& all, const std::string& series) {
  const auto text = all.expose();
  const auto at = text.find("\n" + series + " ");
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + series.size() + 2));
}

} // namespace

TEST_CASE("more workers are asked for, and what is explained is what metrics say", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all);
  CHECK(shown(all, "penstock_pool_wanted_workers{role=\"worker\"}") == 1); // before any decision
  w.has("a");
  *w.wanted = 4;
  CHECK(step(w, s) == words{"ask for 4"});
  CHECK(shown(all, "penstock_pool_wanted_workers{role=\"worker\"}") == 4);
  CHECK(shown(all, "penstock_scaling_decisions_total{action=\"out\",role=\"worker\"}") == 1);
  CHECK(shown(all, "penstock_scaling_frozen{role=\"worker\"}") == 0);
}

TEST_CASE("a worker drains, is protected while it works, and is retired when it has left", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all);
  w.has("a", worker_stage::ready, 5);
  w.has("b", worker_stage::ready, 2);
  CHECK(step(w, s) == words{"drain b", "protect b"});
  w.worker("b").stage = worker_stage::draining;
  CHECK(step(w, s).empty());
  w.lacks("b");
  CHECK(step(w, s) == words{"retire b"});
}

TEST_CASE("a worker that has left between two rounds is retired in the next one", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all);
  w.has("a", worker_stage::ready, 1);
  w.has("b");
  CHECK(step(w, s) == words{"drain b", "protect b"});
  w.lacks("b"); // nobody saw it draining
  CHECK(step(w, s) == words{"retire b"});
}

TEST_CASE("what fails is told, counted, and tried again", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all);
  w.has("a", worker_stage::ready, 1);
  w.has("b");
  w.fails = true;
  const auto first = s.step();
  REQUIRE(first.trouble.size() == 2);
  CHECK(first.trouble[0].message == "draining b: not now");
  CHECK(shown(all, "penstock_scaling_errors_total{part=\"fleet\",role=\"worker\"}") == 2);
  w.fails = false;
  w.now += 10s;
  CHECK(step(w, s) == words{"drain b", "protect b"});
}

TEST_CASE("instances that could not be asked for are asked for in the next round", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all);
  w.has("a");
  *w.wanted = 3;
  w.fails = true;
  CHECK(step(w, s).empty());
  w.fails = false;
  CHECK(step(w, s) == words{"ask for 3"});
  CHECK(step(w, s).empty());
}

TEST_CASE("what was asked for and is not there yet is shown as joining", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all);
  w.has("a");
  *w.wanted = 3;
  step(w, s);
  step(w, s);
  CHECK(shown(all, "penstock_pool_workers{role=\"worker\",state=\"joining\"}") == 2);
  w.has("b");
  w.has("c");
  step(w, s);
  CHECK(shown(all, "penstock_pool_workers{role=\"worker\",state=\"joining\"}") == 0);
}

TEST_CASE("without signals, workers or fleet nothing is done, the wish stays and the freeze is shown",
          "[scaling][scaler]") {
  const core::error away{core::errc::unavailable, "away"};
  for (const int part : {0, 1, 2}) {
    CAPTURE(part);
    world w;
    metrics::registry all;
    auto s = scaler_in(w, all);
    w.has("a");
    *w.wanted = 3;
    CHECK(step(w, s) == words{"ask for 3"});
    w.has("b");
    w.has("c");
    const auto before = w;
    *w.wanted = 1;
    if (part == 0) w.seen = tl::unexpected{away};
    if (part == 1) w.fleet = tl::unexpected{away};
    if (part == 2) w.workers = tl::unexpected{away};
    for (int i = 0; i < 50; ++i) CHECK(step(w, s).empty());
    CHECK(shown(all, "penstock_scaling_frozen{role=\"worker\"}") == 1);
    CHECK(shown(all, "penstock_pool_wanted_workers{role=\"worker\"}") == 3);
    CHECK(shown(all, "penstock_scaling_decisions_total{action=\"frozen\",role=\"worker\"}") == 50);
    w.seen = before.seen;
    w.fleet = before.fleet;
    w.workers = before.workers;
    CHECK_FALSE(step(w, s).empty());
    CHECK(shown(all, "penstock_scaling_frozen{role=\"worker\"}") == 0);
  }
}

TEST_CASE("one that only explains touches nothing", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all, false);
  w.has("a");
  *w.wanted = 5;
  w.seen->workers.ready = 1;
  for (int i = 0; i < 5; ++i) {
    const auto round = s.step();
    REQUIRE(round.made);
    CHECK(round.made->action == scaling_action::out);
    CHECK(round.made->want == 5);
    CHECK(round.made->have == 1);
  }
  CHECK(w.done.empty());
}

TEST_CASE("what the fleet tells of earlier wishes is trouble, not silence", "[scaling][scaler]") {
  world w;
  metrics::registry all;
  auto s = scaler_in(w, all);
  w.has("a");
  w.problems = {{core::errc::unavailable, "no capacity"}};
  const auto round = s.step();
  REQUIRE(round.trouble.size() == 1);
  CHECK(round.trouble[0].message == "no capacity");
  CHECK(shown(all, "penstock_scaling_errors_total{part=\"fleet\",role=\"worker\"}") == 1);
}
