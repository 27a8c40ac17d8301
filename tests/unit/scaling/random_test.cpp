#include <map>
#include <set>

#include "scaling/policy/policies.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scaling/loads.hpp"
#include "tests/unit/scaling/stage.hpp"

using namespace penstock;
using namespace penstock::scaling;
using namespace penstock::scaling::test;

namespace {

/// A fleet that does anything: boots slowly or never, loses workers, is evicted, gives less than asked for, forgets
/// commands; a head that comes and goes; policies that want anything. Holds the controller to its promises.
class chaos {
 public:
  explicit chaos(std::uint64_t seed) : rng_{seed} {
    options_.min = rng_.between(0, 4);
    options_.max = options_.min + rng_.between(1, 12);
    options_.max_step = rng_.between(1, 5);
    options_.drain_timeout = core::seconds{rng_.between(50.0, 400.0)};
    options_.boot_limit = core::seconds{rng_.between(100.0, 500.0)};
    REQUIRE(options_.validate());
    stage_ = std::make_unique<stage>(options_);
    for (int i = options_.min; i > 0; --i) add();
  }

  void step() {
    happen();
    auto known = stage_->seen();
    const auto blind = rng_.between(0, 9);
    if (blind == 0) known.seen = core::fail(core::errc::unavailable, "away");
    if (blind == 1) known.workers = core::fail(core::errc::unavailable, "away");
    if (blind == 2) known.fleet = core::fail(core::errc::unavailable, "away");
    if (blind == 3) known.seen->at -= 1000s;
    const bool sees = blind > 3;
    const int before = capacity();
    stage_->now += 10s;
    if (sees) known.seen->at = stage_->now;
    if (blind != 1 && blind != 2) note_ready();
    const auto made = stage_->decider.decide(stage_->now, known);
    check(made, sees, before);
    carry_out(made);
  }

 private:
  struct fate {
    core::time_point up_at;
    bool is_dud = false;
    bool was_up = false;
    std::optional<core::time_point> drained_at; ///< when it said so
    core::time_point drain_asked{};
    bool asked = false;
    core::time_point born;
    core::time_point ready_at;
  };

  void add() {
    const auto id = "i" + std::to_string(made_++);
    stage_->boot(id);
    fate f;
    f.born = f.ready_at = stage_->now;
    f.up_at = stage_->now + std::chrono::seconds{rng_.between(0, 200)};
    f.is_dud = rng_.chance(0.1);
    fates_[id] = f;
  }

  /// As far as the controller could see it.
  void note_ready() {
    for (auto& [id, f] : fates_) {
      for (const auto& w : stage_->workers) {
        if (w.name == "w-" + id && w.stage == worker_stage::ready) f.ready_at = stage_->now;
      }
    }
  }

  [[nodiscard]] int capacity() const {
    int n = 0;
    for (const auto& i : stage_->fleet.instances) {
      const auto& f = fates_.at(i.id);
      const bool is_there = i.state == instance_state::provisioning || i.state == instance_state::running;
      n += is_there && !f.asked && retired_.count(i.id) == 0 ? 1 : 0;
    }
    return n;
  }

  void happen() {
    if (rng_.chance(0.2)) *stage_->wanted = rng_.between(-3, options_.max + 5);
    auto ids = std::vector<std::string>{};
    for (const auto& i : stage_->fleet.instances) ids.push_back(i.id);
    for (const auto& id : ids) {
      auto& f = fates_[id];
      auto& i = stage_->of(id);
      if (i.state == instance_state::deleting) {
        if (rng_.chance(0.5)) stage_->remove(id);
        continue;
      }
      if (!f.was_up && !f.is_dud && stage_->now >= f.up_at) {
        f.was_up = true;
        i.state = instance_state::running;
        i.worker = "w-" + id;
        stage_->workers.push_back({i.worker, worker_stage::ready, 0});
      }
      if (f.was_up) live(id, f);
      if (rng_.chance(0.002))
        stage_->remove(id);
      else if (rng_.chance(0.002))
        i.state = instance_state::failed;
    }
  }

  void live(const std::string& id, fate& f) {
    auto& w = stage_->worker(id);
    if (w.stage == worker_stage::ready) {
      w.leases = rng_.between(0, 4);
      if (rng_.chance(0.003)) w.stage = worker_stage::lost;
      if (rng_.chance(0.002)) w.stage = worker_stage::draining; // by somebody else
      if (f.asked && rng_.chance(0.7)) w.stage = worker_stage::draining;
    } else if (w.stage == worker_stage::lost) {
      if (rng_.chance(0.05)) w.stage = worker_stage::ready;
    } else if (w.stage == worker_stage::draining) {
      w.leases = rng_.chance(0.3) ? std::max(0, w.leases - 1) : w.leases;
      if (w.leases == 0 && rng_.chance(0.5)) w.stage = worker_stage::gone;
    }
    if (w.stage == worker_stage::draining && !f.asked) {
      f.asked = true;
      f.drain_asked = stage_->now;
    }
  }

  void check(const decision& made, bool sees, int before) {
    if (!sees) {
      CHECK(made.is_frozen());
      REQUIRE(made.drain.empty());
      REQUIRE(made.retire.empty());
      if (made.target) REQUIRE(made.have < options_.min);
      return;
    }
    REQUIRE_FALSE(made.is_frozen());
    REQUIRE(std::abs(made.want - made.have) <= options_.max_step);
    if (made.have >= options_.min && made.have <= options_.max) {
      REQUIRE(made.want >= options_.min);
      REQUIRE(made.want <= options_.max);
    }
    std::set<std::string> fresh;
    for (const auto& name : made.drain) {
      const auto id = name.substr(2);
      REQUIRE(stage_->worker(id).stage != worker_stage::draining);
      if (!fates_.at(id).asked) fresh.insert(id);
    }
    REQUIRE(static_cast<int>(fresh.size()) <= options_.max_step);
    if (!fresh.empty()) REQUIRE(before - static_cast<int>(fresh.size()) >= options_.min);
    for (const auto& id : made.retire) check_retired(id, made);
    if (made.target) {
      int there = 0;
      for (const auto& i : stage_->fleet.instances) {
        const bool is_leaving = i.state == instance_state::deleting || retired_.count(i.id) > 0 ||
                                std::count(made.retire.begin(), made.retire.end(), i.id) > 0;
        there += is_leaving ? 0 : 1;
      }
      REQUIRE(*made.target > there);
      REQUIRE(*made.target <= options_.max + made.draining);
    }
  }

  void check_retired(const std::string& id, const decision& made) {
    const auto& f = fates_.at(id);
    const auto state = stage_->of(id).state;
    REQUIRE(state != instance_state::deleting);
    if (retired_.count(id) > 0 || state == instance_state::failed) return;
    const auto* w = f.was_up ? &stage_->worker(id) : nullptr;
    if (f.asked) {
      const bool has_drained = w->stage == worker_stage::gone || w->stage == worker_stage::lost ||
                               (w->stage == worker_stage::draining && w->leases == 0);
      const bool timed_out = stage_->now - f.drain_asked >= options_.drain_timeout;
      REQUIRE((has_drained || timed_out));
    } else {
      REQUIRE((w == nullptr || w->stage != worker_stage::ready));
      // Before anybody is on it an instance may be called off.
      const bool is_called_off = w == nullptr && made.want < made.have;
      REQUIRE((is_called_off || stage_->now - f.ready_at >= options_.boot_limit));
    }
  }

  void carry_out(const decision& made) {
    for (const auto& name : made.drain) {
      auto& f = fates_.at(name.substr(2));
      if (!f.asked) f.drain_asked = stage_->now;
      f.asked = true;
    }
    for (const auto& id : made.retire) {
      retired_.insert(id);
      if (rng_.chance(0.2)) continue; // did not arrive
      stage_->of(id).state = instance_state::deleting;
      --stage_->fleet.target;
    }
    if (!made.target) return;
    int there = 0;
    for (const auto& i : stage_->fleet.instances) there += i.state != instance_state::deleting ? 1 : 0;
    const int gives = rng_.chance(0.2) ? rng_.between(0, 1) : 100;
    for (int i = 0; i < gives && there < *made.target; ++i, ++there) add();
  }

  dice rng_;
  controller_options options_;
  std::unique_ptr<stage> stage_;
  std::map<std::string, fate> fates_;
  std::set<std::string> retired_;
  int made_ = 0;
};

} // namespace

TEST_CASE("whatever happens, bounds and steps hold and nobody is retired who has not drained", "[scaling]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    chaos run{seed};
    for (int i = 0; i < 500; ++i) run.step();
  }
}
