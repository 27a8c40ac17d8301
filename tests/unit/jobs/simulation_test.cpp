#include <cstdlib>
#include <memory>
#include <set>

#include "tests/unit/jobs/backends.hpp"
#include "tests/unit/jobs/memory_stores.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using jobs::standing;

namespace {

jobs::job_rules quick_rules() {
  jobs::job_rules rules;
  rules.max_attempts = 3;
  rules.page = 5;
  rules.blobs_per_pass = 7;
  return rules;
}

/// A process: a queue, and the claims of its workers, which it forgets when it dies.
struct process {
  std::string name;
  std::unique_ptr<jobs::job_queue> queue;
  std::vector<jobs::claim> claims;
  bool busy = false;
};

/// A client repeats a request with the same key until it is answered.
struct client {
  std::string key;
  std::optional<std::string> answered;
};

class simulation {
 public:
  explicit simulation(std::uint64_t seed) : world_{seed} {
    for (int i = 0; i < 3; ++i) {
      processes_.push_back({"p" + std::to_string(i), nullptr, {}, false});
      start(processes_.back());
    }
    for (int i = 0; i < 6; ++i) clients_.push_back({"key " + std::to_string(i), std::nullopt});
    world_.somebody_else = [this] { act(); };
  }

  void run_with_faults(int steps) {
    world_.rates = {.unavailable = 0.03,
                    .lost_answer = 0.02,
                    .repeated = 0.02,
                    .crash = 0.008,
                    .interleave = 0.1,
                    .lost_hint = 0.15,
                    .doubled_hint = 0.15,
                    .early_hint = 0.05};
    for (int i = 0; i < steps; ++i) {
      world_.now += jobs::milliseconds{world_.draws.between(0, 4'000)};
      act();
    }
  }

  /// Everything works again: what was accepted has to come to its end.
  void settle() {
    world_.rates = {};
    world_.somebody_else = nullptr;
    for (auto& each : processes_) start(each);
    auto& queue = *processes_.front().queue;
    for (auto& each : clients_) {
      if (each.answered) continue;
      const auto answer = test::take(queue.put(request(each)));
      each.answered = answer.record.id;
      if (!cancelled_.contains(answer.record.id)) CHECK_FALSE(answer.record.state == jobs::job_state::cancelled);
    }
    bool open = true;
    for (int i = 0; i < 60 && open; ++i) {
      world_.now += 2min;
      const auto report = test::take(queue.reconcile());
      CHECK(report.errors == 0);
      open = report.queued + report.running != 0;
      for (const auto& each : test::take(queue.dead_letters("", 1'000)).jobs) {
        CHECK(each.attempts == each.max_attempts);
        CHECK_FALSE(each.error.empty());
        CHECK(test::take(queue.requeue(each.id))->state == jobs::job_state::queued);
        open = true;
      }
      while (auto got = test::take(queue.lease("last", 60s))) {
        publish(queue, *got);
        CHECK(test::take(queue.complete(*got)) == standing::held);
      }
    }
    CHECK_FALSE(open);
    // Then nothing is left that nobody needs.
    world_.now += 2h;
    for (int sweeps = 0; sweeps < 2;) sweeps += static_cast<int>(test::take(queue.reconcile()).blobs_swept);
    CHECK_FALSE(test::take(queue.lease("last", 60s)));
    check_end();
  }

  [[nodiscard]] const test::memory_world& world() const { return world_; }

 private:
  void start(process& on) {
    on.claims.clear();
    on.queue = std::make_unique<jobs::job_queue>(world_.stores(), quick_rules(), world_.clock(),
                                                 [this] { return world_.draws.next(); });
  }

  static jobs::job_request request(const client& of) {
    jobs::job_request out;
    out.kind = jobs::job_kind::image;
    out.input_uri = "store://" + of.key;
    out.idempotency_key = of.key;
    return out;
  }

  void publish(jobs::job_queue& queue, const jobs::claim& held) {
    static_cast<void>(put_blob(queue.blobs(), jobs::result_name(held.record.id), test::bytes_of("result")));
  }

  /// One process that is not in the middle of something does one thing, and may die at it.
  void act() {
    const auto chosen = static_cast<std::size_t>(world_.draws.between(0, 2));
    auto& on = processes_[chosen];
    if (on.busy) return;
    on.busy = true;
    try {
      act(on);
    } catch (const test::crashed&) {
      start(on);
    }
    on.busy = false;
  }

  void act(process& on) {
    auto& queue = *on.queue;
    const auto choice = world_.draws.between(0, 99);
    if (choice < 12) {
      submit_with_key(queue);
    } else if (choice < 22) {
      submit_with_blob(queue);
    } else if (choice < 50) {
      auto got = queue.lease(on.name, 10s);
      if (got && *got) on.claims.push_back(std::move(**got));
    } else if (choice < 86) {
      if (!on.claims.empty()) work(on);
    } else if (choice < 89) {
      cancel_one(queue);
    } else if (choice < 92) {
      const auto dead = queue.dead_letters("", 10);
      if (dead && !dead->jobs.empty()) static_cast<void>(queue.requeue(dead->jobs.front().id));
    } else {
      static_cast<void>(queue.reconcile());
    }
  }

  void submit_with_key(jobs::job_queue& queue) {
    auto& from = clients_[static_cast<std::size_t>(world_.draws.between(0, 5))];
    const auto answer = queue.put(request(from));
    if (!answer) return;
    // The same job for ever.
    if (from.answered) CHECK(*from.answered == answer->record.id);
    from.answered = answer->record.id;
  }

  void submit_with_blob(jobs::job_queue& queue) {
    if (submitted_.size() >= 12) return;
    jobs::job_request request;
    request.id = queue.new_id();
    request.input_blob = jobs::input_name(request.id);
    if (!put_blob(queue.blobs(), request.input_blob, test::bytes_of("input"))) return;
    const auto answer = queue.put(request);
    if (answer) submitted_.push_back(answer->record.id);
  }

  void cancel_one(jobs::job_queue& queue) {
    if (submitted_.empty()) return;
    const auto& id = submitted_[static_cast<std::size_t>(world_.draws.between(0, 99)) % submitted_.size()];
    cancelled_.insert(id); // also where the answer gets lost
    static_cast<void>(queue.cancel(id));
  }

  void work(process& on) {
    const auto at = static_cast<std::size_t>(world_.draws.between(0, 99)) % on.claims.size();
    auto held = on.claims[at];
    auto& queue = *on.queue;
    const auto choice = world_.draws.between(0, 9);
    core::expected<standing> stands = standing::held;
    auto over = true;
    if (choice < 3) {
      over = false;
      stands = queue.progress(held, {held.record.frames.done + 1, std::nullopt}, "at " + on.name, 10s);
      static_cast<void>(
          put_blob(queue.blobs(), jobs::part_name(held.record.id, std::to_string(world_.draws.between(0, 3))), {}));
    } else if (choice < 4) {
      over = false;
      stands = queue.extend(held, 10s);
    } else if (choice < 5) {
      stands = queue.fail(held, "it did not work");
    } else if (choice < 6) {
      stands = queue.give_back(held);
    } else {
      publish(queue, held);
      stands = queue.complete(held);
      if (stands && *stands == standing::held) ++completed_[held.record.id];
    }
    // While this went on, the process may have died.
    const auto found = std::find_if(on.claims.begin(), on.claims.end(), [&](const jobs::claim& each) {
      return each.record.id == held.record.id && each.epoch() == held.epoch();
    });
    if (found == on.claims.end()) return;
    if (!stands) return; // tried again, or forgotten in a crash
    if (over || *stands != standing::held) {
      on.claims.erase(found);
    } else {
      *found = held;
    }
  }

  void check_end() {
    using enum jobs::job_state;
    std::set<std::string> wanted_blobs;
    std::map<std::string, std::string> keys;
    for (const auto& [key, kept] : world_.entries) {
      CHECK_FALSE(key.starts_with("open/"));
      CHECK_FALSE(key.starts_with("dead/"));
      if (!key.starts_with("job/")) continue;
      const auto record = test::take(jobs::decode_job(kept.value));
      CHECK(record.accepted);
      CHECK((record.state == done || record.state == cancelled));
      if (record.state == cancelled) CHECK(cancelled_.contains(record.id));
      if (record.state == done) {
        wanted_blobs.insert(record.result_blob);
        CHECK(world_.dones[record.id] == 1);
      }
      CHECK(completed_[record.id] <= 1);
      if (!record.idempotency_key.empty()) {
        CHECK(keys.try_emplace(record.idempotency_key, record.id).second); // one job a key
      }
    }
    for (const auto& each : clients_) CHECK(keys[each.key] == each.answered);
    for (const auto& id : submitted_) CHECK(world_.entries.contains("job/" + id));
    std::set<std::string> blobs;
    for (const auto& [name, content] : world_.blobs) blobs.insert(name);
    CHECK(blobs == wanted_blobs);
    CHECK(world_.hints.empty());
    for (const auto& each : world_.violations) FAIL_CHECK(each);
  }

  test::memory_world world_;
  std::vector<process> processes_;
  std::vector<client> clients_;
  std::vector<std::string> submitted_;
  std::set<std::string> cancelled_;
  std::map<std::string, int> completed_;
};

} // namespace

TEST_CASE("whatever crashes, gets lost or comes twice, each job is done once and nothing is left over", "[many]") {
  std::uint64_t first = 1;
  std::uint64_t last = 300;
  if (const auto* one = std::getenv("PENSTOCK_SIMULATION_SEED")) first = last = std::stoull(one);
  std::uint64_t done = 0;
  for (auto seed = first; seed <= last; ++seed) {
    INFO("PENSTOCK_SIMULATION_SEED=" << seed);
    simulation run{seed};
    run.run_with_faults(400);
    run.settle();
    done += run.world().dones.size();
  }
  CHECK(done >= 6 * (last - first + 1)); // the simulation is about something
}
