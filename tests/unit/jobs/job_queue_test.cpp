#include "jobs/job_queue.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include "tests/unit/jobs/backends.hpp"
#include "tests/unit/jobs/memory_stores.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using jobs::job_state;
using jobs::standing;
using test::take;

namespace {

/// The queue in virtual time, over stores without faults unless the test asks for them.
struct rig {
  explicit rig(jobs::job_rules rules = {}) : rules_{rules} {}

  [[nodiscard]] jobs::job_queue queue() {
    return {world.stores(), rules_, world.clock(), [this] { return world.draws.next(); }};
  }
  ~rig() {
    for (const auto& each : world.violations) FAIL_CHECK(each);
  }
  rig(const rig&) = delete;
  rig& operator=(const rig&) = delete;

  test::memory_world world{1};

 private:
  jobs::job_rules rules_;
};

jobs::job_request some_request(std::string key = {}) {
  jobs::job_request out;
  out.input_uri = "store://clip.mp4";
  out.idempotency_key = std::move(key);
  return out;
}

void publish(jobs::job_queue& queue, const jobs::claim& held) {
  take(put_blob(queue.blobs(), jobs::result_name(held.record.id), test::bytes_of("result")));
}

} // namespace

TEST_CASE("a lease that ran out goes to another with a larger epoch, and the first is refused everything") {
  rig with;
  auto queue = with.queue();
  const auto id = take(queue.put(some_request())).record.id;
  auto first = take(queue.lease("a", 30s)).value();
  CHECK(first.epoch() == 1);
  CHECK_FALSE(take(queue.lease("b", 30s)));
  with.world.now += 31s;
  auto second = take(queue.lease("b", 30s)).value();
  CHECK(second.record.id == id);
  CHECK(second.epoch() == 2);
  CHECK(second.record.error == "worker 'a' was lost");
  publish(queue, first);
  CHECK(take(queue.complete(first)) == standing::lost);
  CHECK(take(queue.extend(first, 30s)) == standing::lost);
  CHECK(take(queue.progress(first, {1, 2}, "x", 30s)) == standing::lost);
  CHECK(take(queue.fail(first, "late")) == standing::lost);
  CHECK(take(queue.give_back(first)) == standing::lost);
  const auto record = take(queue.get(id)).value();
  CHECK(record.held == second.record.held);
  CHECK(record.frames.done == 0);
  CHECK(take(queue.complete(second)) == standing::held);
  CHECK(take(queue.get(id))->state == job_state::done);
  CHECK(take(queue.complete(second)) == standing::held); // a repetition finds its own work
  CHECK(take(queue.complete(first)) == standing::lost);
}

TEST_CASE("the same name of a worker is no lease") {
  rig with;
  auto queue = with.queue();
  take(queue.put(some_request()));
  auto first = take(queue.lease("w", 30s)).value();
  auto copy = first;
  with.world.now += 31s;
  auto second = take(queue.lease("w", 30s)).value();
  publish(queue, first);
  CHECK(take(queue.complete(copy)) == standing::lost);
  CHECK(take(queue.complete(second)) == standing::held);
}

TEST_CASE("a lease that is renewed stays, and one that ran out without a rival can still be renewed") {
  rig with;
  auto queue = with.queue();
  take(queue.put(some_request()));
  auto held = take(queue.lease("a", 30s)).value();
  for (int i = 0; i < 10; ++i) {
    with.world.now += 20s;
    CHECK(take(queue.extend(held, 30s)) == standing::held);
    CHECK_FALSE(take(queue.lease("b", 30s)));
  }
  with.world.now += 1h;
  CHECK(take(queue.extend(held, 30s)) == standing::held);
  CHECK_FALSE(take(queue.lease("b", 30s)));
}

TEST_CASE("an attempt that fails is repeated later and later, then the job is dead with its error") {
  jobs::job_rules rules;
  rules.max_attempts = 3;
  rig with{rules};
  auto queue = with.queue();
  const auto id = take(queue.put(some_request())).record.id;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    auto held = take(queue.lease("a", 30s)).value();
    CHECK(held.record.attempts == static_cast<std::uint32_t>(attempt));
    CHECK(take(queue.fail(held, "no decoder, attempt " + std::to_string(attempt))) == standing::held);
    CHECK_FALSE(take(queue.lease("a", 30s)));
    if (attempt == 3) break;
    const auto wait = take(queue.get(id))->not_before - with.world.now;
    const auto base = attempt == 1 ? 1'000ms : 2'000ms;
    CHECK(wait >= base);
    CHECK(wait <= base * 3 / 2);
    with.world.now += wait - 1ms;
    CHECK_FALSE(take(queue.lease("a", 30s)));
    with.world.now += 1ms;
  }
  const auto dead = take(queue.dead_letters("", 10));
  REQUIRE(dead.jobs.size() == 1);
  CHECK(dead.jobs.front().id == id);
  CHECK(dead.jobs.front().error == "no decoder, attempt 3");
  CHECK(dead.jobs.front().attempts == 3);
  CHECK(take(queue.depth()) == 0);
  with.world.now += 1h;
  take(queue.reconcile());
  CHECK_FALSE(take(queue.lease("a", 30s)));
}

TEST_CASE("a job that cannot ever be done is dead at once") {
  rig with;
  auto queue = with.queue();
  const auto id = take(queue.put(some_request())).record.id;
  auto held = take(queue.lease("a", 30s)).value();
  CHECK(take(queue.fail(held, "no video", jobs::job_queue::retry::pointless)) == standing::held);
  CHECK(take(queue.get(id))->state == job_state::dead);
}

TEST_CASE("a dead job that is queued again has all its attempts and goes on at its checkpoint") {
  jobs::job_rules rules;
  rules.max_attempts = 1;
  rig with{rules};
  auto queue = with.queue();
  const auto id = take(queue.put(some_request())).record.id;
  auto held = take(queue.lease("a", 30s)).value();
  CHECK(take(queue.progress(held, {40, 100}, "segment 4", 30s)) == standing::held);
  CHECK(take(queue.fail(held, "broken")) == standing::held);
  REQUIRE(take(queue.get(id))->state == job_state::dead);
  CHECK(take(queue.requeue(id))->state == job_state::queued);
  CHECK(take(queue.dead_letters("", 10)).jobs.empty());
  CHECK(take(queue.requeue(id))->state == job_state::queued); // twice is once
  auto again = take(queue.lease("b", 30s)).value();
  CHECK_FALSE(take(queue.lease("c", 30s)));
  CHECK(again.record.attempts == 1);
  CHECK(again.epoch() == 2);
  CHECK(again.record.checkpoint == "segment 4");
  CHECK(again.record.frames == jobs::frame_progress{40, 100});
  publish(queue, again);
  CHECK(take(queue.complete(again)) == standing::held);
  CHECK(take(queue.requeue(id))->state == job_state::done);
  CHECK_FALSE(take(queue.requeue("01hf7yat00abcdefghijklmnop")));
}

TEST_CASE("a worker that kills itself on a job loses it for good, but one whose work got further is forgiven") {
  jobs::job_rules rules;
  rules.max_attempts = 2;
  rig with{rules};
  auto queue = with.queue();
  const auto id = take(queue.put(some_request())).record.id;
  for (std::uint64_t frame = 1; frame <= 20; ++frame) {
    auto held = take(queue.lease("long", 30s)).value();
    CHECK(held.record.attempts == 1);
    CHECK(take(queue.progress(held, {frame, 100}, "", 30s)) == standing::held);
    with.world.now += 31s;
  }
  CHECK(take(queue.lease("a", 30s)));
  with.world.now += 31s;
  CHECK(take(queue.lease("b", 30s)));
  with.world.now += 31s;
  CHECK_FALSE(take(queue.lease("c", 30s)));
  const auto record = take(queue.get(id)).value();
  CHECK(record.state == job_state::dead);
  CHECK(record.error == "worker 'b' was lost");
}

TEST_CASE("a job that is handed back goes to another at once and costs no attempt") {
  rig with;
  auto queue = with.queue();
  take(queue.put(some_request()));
  auto held = take(queue.lease("a", 30s)).value();
  CHECK(take(queue.progress(held, {3, 9}, "here", 30s)) == standing::held);
  CHECK(take(queue.give_back(held)) == standing::held);
  const auto next = take(queue.lease("b", 30s)).value();
  CHECK(next.record.attempts == 1);
  CHECK(next.record.checkpoint == "here");
}

TEST_CASE("a repeated request with the same key gets the same job, and only one is worked on") {
  rig with;
  auto queue = with.queue();
  auto other = with.queue();
  CHECK_FALSE(take(queue.find("upload 1")));
  const auto first = take(queue.put(some_request("upload 1")));
  const auto second = take(other.put(some_request("upload 1")));
  CHECK(first.created);
  CHECK_FALSE(second.created);
  CHECK(second.record.id == first.record.id);
  CHECK(take(queue.find("upload 1"))->id == first.record.id);
  CHECK(take(queue.put(some_request("upload 2"))).record.id != first.record.id);
  CHECK(take(queue.list(std::nullopt, "", 10)).jobs.size() == 2);
  auto held = take(queue.lease("a", 30s)).value();
  publish(queue, held);
  take(queue.complete(held));
  CHECK(take(queue.put(some_request(held.record.idempotency_key))).record.state == job_state::done);
}

TEST_CASE("two requests with one key at the same moment get one job") {
  // The second comes before each request that the first makes of its stores.
  for (int comes_at = 0;; ++comes_at) {
    rig with;
    auto queue = with.queue();
    auto other = with.queue();
    auto left = comes_at;
    std::optional<jobs::put_answer> second;
    with.world.rates.interleave = 1;
    with.world.somebody_else = [&] {
      if (left-- == 0) second = take(other.put(some_request("k")));
    };
    const auto first = take(queue.put(some_request("k")));
    with.world.somebody_else = nullptr;
    if (!second) {
      CHECK(comes_at > 6);
      break;
    }
    INFO(comes_at);
    CHECK(first.record.id == second->record.id);
    CHECK(first.created != second->created);
    CHECK(take(queue.list(std::nullopt, "", 10)).jobs.size() == 1);
    CHECK(take(queue.lease("a", 30s)));
    CHECK_FALSE(take(queue.lease("b", 30s)));
  }
}

TEST_CASE("a request that died anywhere on its way is accepted once when it is repeated") {
  const auto with_id = GENERATE(false, true);
  const auto with_key = GENERATE(true, false);
  if (!with_id && !with_key) return; // then nobody can tell that it is a repetition
  // One crash before each request that a put makes, until a put makes fewer.
  for (int crash_at = 0;; ++crash_at) {
    rig with;
    auto queue = with.queue();
    auto request = some_request(with_key ? "k" : "");
    if (with_id) request.id = queue.new_id();
    auto left = crash_at;
    auto died = false;
    with.world.rates.interleave = 1;
    with.world.somebody_else = [&] {
      if (left-- == 0) throw test::crashed{};
    };
    try {
      take(queue.put(request));
    } catch (const test::crashed&) {
      died = true;
    }
    with.world.somebody_else = nullptr;
    const auto answer = take(queue.put(request));
    CHECK(take(queue.list(job_state::queued, "", 10)).jobs.size() == 1);
    with.world.now += 2min; // its hint may have died with it
    take(queue.reconcile());
    auto held = take(queue.lease("a", 30s)).value();
    CHECK(held.record.id == answer.record.id);
    publish(queue, held);
    CHECK(take(queue.complete(held)) == standing::held);
    with.world.now += 10min;
    const auto report = take(queue.reconcile());
    CHECK(report.errors == 0);
    CHECK(report.queued + report.running == 0);
    CHECK_FALSE(take(queue.lease("a", 30s)));
    with.world.now += 10min;
    take(queue.reconcile());
    int records = 0;
    for (const auto& [key, kept] : with.world.entries) {
      records += static_cast<int>(key.starts_with("job/"));
      CHECK_FALSE(key.starts_with("open/"));
    }
    CHECK(records == 1);
    if (!died) {
      CHECK(crash_at > (with_key ? 5 : 2));
      break;
    }
  }
}

TEST_CASE("a result that was published before its worker died is taken, not made again") {
  rig with;
  auto queue = with.queue();
  const auto by_lease = take(queue.put(some_request())).record.id;
  auto held = take(queue.lease("a", 30s)).value();
  publish(queue, held); // and then it dies
  with.world.now += 31s;
  CHECK_FALSE(take(queue.lease("b", 30s)));
  CHECK(take(queue.get(by_lease))->state == job_state::done);

  const auto by_reconciler = take(queue.put(some_request())).record.id;
  held = take(queue.lease("a", 30s)).value();
  publish(queue, held);
  CHECK(take(queue.reconcile()).finished == 0); // it may be about to say so
  with.world.now += 31s;
  CHECK(take(queue.reconcile()).finished == 1);
  const auto record = take(queue.get(by_reconciler)).value();
  CHECK(record.state == job_state::done);
  CHECK(record.result_blob == jobs::result_name(by_reconciler));
  CHECK(take(queue.complete(held)) == standing::held); // it was the holder's work
}

TEST_CASE("a job that died between commit and acknowledgement is not worked on when its hint comes back") {
  rig with;
  auto queue = with.queue();
  const auto id = take(queue.put(some_request())).record.id;
  auto held = take(queue.lease("a", 30s)).value();
  publish(queue, held);
  const auto hints = with.world.hints; // as they were before the acknowledgement
  CHECK(take(queue.complete(held)) == standing::held);
  with.world.hints = hints;
  with.world.now += 1h;
  CHECK(take(queue.depth()) == 1);
  CHECK_FALSE(take(queue.lease("b", 30s)));
  CHECK(take(queue.depth()) == 0);
  CHECK(take(queue.get(id))->epoch == 1);
}

TEST_CASE("nothing is completed without a result") {
  rig with;
  auto queue = with.queue();
  take(queue.put(some_request()));
  auto held = take(queue.lease("a", 30s)).value();
  CHECK(queue.complete(held).error().code == core::errc::invalid_argument);
  CHECK(take(queue.get(held.record.id))->state == job_state::running);
  CHECK(take(queue.extend(held, 30s)) == standing::held);
}

TEST_CASE("jobs whose hints are lost are told of again, and a long backlog is not told of over and over") {
  rig with;
  auto queue = with.queue();
  for (int i = 0; i < 10; ++i) take(queue.put(some_request()));
  with.world.hints.clear();
  CHECK_FALSE(take(queue.lease("a", 30s)));
  CHECK(take(queue.reconcile()).told == 0); // too early to say
  with.world.now += 61s;
  CHECK(take(queue.reconcile()).told == 10);
  CHECK(take(queue.lease("a", 30s)));
  // Nobody works for a day: hints stay few.
  for (int i = 0; i < 24 * 60; ++i) {
    with.world.now += 1min;
    take(queue.reconcile());
  }
  CHECK(with.world.hints.size() <= 10 * 13);
  int leased = 0;
  while (take(queue.lease("a", 24h))) ++leased;
  CHECK(leased == 10);
}

TEST_CASE("while the queue of hints is away jobs are accepted, worked on and done all the same") {
  rig with;
  auto queue = with.queue();
  with.world.hints_are_away = true;
  for (int i = 0; i < 70; ++i) take(queue.put(some_request()));
  auto busy = take(queue.lease("a", 1h)).value();
  int done = 0;
  for (int i = 0; i < 200; ++i) {
    auto got = queue.lease("b", 30s);
    if (!got) continue; // this part of the ledger holds nothing; the next look goes on behind it
    auto held = **got;
    CHECK(held.record.id != busy.record.id);
    CHECK(take(queue.extend(held, 30s)) == standing::held);
    publish(queue, held);
    CHECK(take(queue.complete(held)) == standing::held);
    ++done;
  }
  CHECK(done == 69);
  CHECK(queue.lease("b", 30s).error().code == core::errc::unavailable);
  CHECK(take(queue.fail(busy, "no")) == standing::held);
  with.world.now += 10s;
  CHECK(take(queue.lease("b", 30s))->record.id == busy.record.id);
  CHECK(queue.faults().hints > 100);
}

TEST_CASE("a hint that comes twice leads to one lease, and the other is kept until the lease may have ended") {
  rig with;
  auto queue = with.queue();
  with.world.rates.doubled_hint = 1;
  take(queue.put(some_request()));
  CHECK(take(queue.depth()) == 2);
  auto held = take(queue.lease("a", 30s)).value();
  CHECK_FALSE(take(queue.lease("b", 30s)));
  CHECK(take(queue.depth()) == 2);
  with.world.now += 31s; // a dies; the second hint leads to its job
  CHECK(take(queue.lease("b", 30s))->epoch() == 2);
}

TEST_CASE("a cancelled job is not worked on, its worker is told, and its input is removed") {
  rig with;
  auto queue = with.queue();
  auto request = some_request();
  request.id = queue.new_id();
  request.input_uri.clear();
  request.input_blob = jobs::input_name(request.id);
  take(put_blob(queue.blobs(), request.input_blob, test::bytes_of("input")));
  take(queue.put(request));
  auto held = take(queue.lease("a", 30s)).value();
  CHECK(take(queue.cancel(request.id))->state == job_state::cancelled);
  CHECK(take(queue.progress(held, {1, 2}, "", 30s)) == standing::cancelled);
  CHECK(take(queue.complete(held)) == standing::cancelled);
  publish(queue, held);
  CHECK(take(queue.complete(held)) == standing::cancelled);
  CHECK(take(queue.cancel(request.id))->state == job_state::cancelled);
  CHECK_FALSE(take(queue.cancel("nothing")));
  take(queue.reconcile());
  CHECK(with.world.blobs.empty()); // the late result, too
  CHECK_FALSE(take(queue.lease("b", 30s)));
}

TEST_CASE("blobs of a job that is done go, but for its result; those of no job go when they are old") {
  rig with;
  auto queue = with.queue();
  auto request = some_request();
  request.id = queue.new_id();
  request.input_uri.clear();
  request.input_blob = jobs::input_name(request.id);
  take(put_blob(queue.blobs(), request.input_blob, test::bytes_of("input")));
  take(queue.put(request));
  const auto orphan = jobs::input_name(queue.new_id());
  take(put_blob(queue.blobs(), orphan, test::bytes_of("never asked for")));
  take(put_blob(queue.blobs(), "README.txt", test::bytes_of("somebody else's")));
  auto held = take(queue.lease("a", 30s)).value();
  take(put_blob(queue.blobs(), jobs::part_name(request.id, "1"), {}));
  take(put_blob(queue.blobs(), jobs::part_name(request.id, "2"), {}));
  with.world.now += 20s;
  CHECK(take(queue.reconcile()).blobs_removed == 0);
  publish(queue, held);
  CHECK(take(queue.complete(held)) == standing::held);
  CHECK(with.world.blobs.size() == 3);
  take(put_blob(queue.blobs(), jobs::part_name(request.id, "3"), {})); // a stale worker's
  CHECK(take(queue.reconcile()).blobs_removed == 1);
  with.world.now += 2h;
  CHECK(take(queue.reconcile()).blobs_removed == 1);
  CHECK(with.world.blobs.size() == 2);
  CHECK(with.world.blobs.contains(jobs::result_name(request.id)));
  CHECK(with.world.blobs.contains("README.txt"));
}

TEST_CASE("a final job is forgotten after its time with all that is its own, an open one never") {
  jobs::job_rules rules;
  rules.page = 2;
  rig with{rules};
  auto queue = with.queue();
  for (int i = 0; i < 5; ++i) take(queue.put(some_request("key " + std::to_string(i))));
  for (int i = 0; i < 3; ++i) {
    auto held = take(queue.lease("a", 30s)).value();
    publish(queue, held);
    take(queue.complete(held));
  }
  with.world.now += rules.keep_finished - 1s;
  CHECK(take(queue.reconcile()).forgotten == 0);
  with.world.now += 2s;
  CHECK(take(queue.reconcile()).forgotten == 3);
  CHECK(with.world.blobs.empty());
  CHECK(take(queue.list(std::nullopt, "", 10)).jobs.size() == 2);
  CHECK(with.world.entries.size() == 2 * 3); // record, index and key of each
}

TEST_CASE("jobs are listed by state, oldest first, a page at a time") {
  jobs::job_rules rules;
  rules.page = 3;
  rig with{rules};
  auto queue = with.queue();
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(take(queue.put(some_request())).record.id);
    with.world.now += 1ms;
  }
  auto done = take(queue.lease("a", 1h)).value();
  publish(queue, done);
  take(queue.complete(done));
  const auto running = take(queue.lease("a", 1h)).value();
  take(queue.cancel(ids[9]));
  const auto all_of = [&](std::optional<job_state> state, std::size_t limit) {
    std::vector<std::string> found;
    std::string after;
    while (true) {
      const auto page = take(queue.list(state, after, limit));
      CHECK(page.jobs.size() <= limit);
      for (const auto& each : page.jobs) found.push_back(each.id);
      if (!page.next) return found;
      after = *page.next;
    }
  };
  for (const std::size_t limit : {1, 2, 3, 100}) {
    CHECK(all_of(std::nullopt, limit) == ids);
    CHECK(all_of(job_state::done, limit) == std::vector{done.record.id});
    CHECK(all_of(job_state::running, limit) == std::vector{running.record.id});
    CHECK(all_of(job_state::cancelled, limit) == std::vector{ids[9]});
    CHECK(all_of(job_state::queued, limit) == std::vector<std::string>(ids.begin() + 2, ids.begin() + 9));
    CHECK(all_of(job_state::dead, limit).empty());
  }
  CHECK(queue.list(std::nullopt, "../x", 10).error().code == core::errc::invalid_argument);
}

TEST_CASE("a record that is none is counted and stands in nobody's way") {
  rig with;
  auto queue = with.queue();
  const auto broken = take(queue.put(some_request())).record.id;
  with.world.now += 1ms;
  const auto good = take(queue.put(some_request())).record.id;
  with.world.entries["job/" + broken].value = "{\"v\":1";
  CHECK(queue.lease("a", 30s).error().code == core::errc::corrupt);
  CHECK(take(queue.lease("a", 30s))->record.id == good);
  CHECK_FALSE(take(queue.lease("a", 30s)));
  const auto report = take(queue.reconcile());
  CHECK(report.unreadable == 1);
  CHECK(report.errors == 1);
  CHECK(queue.get(broken).error().code == core::errc::corrupt);
  CHECK(take(queue.list(std::nullopt, "", 10)).jobs.size() == 1);
}

TEST_CASE("requests that contradict themselves are refused") {
  rig with;
  auto queue = with.queue();
  const auto refused = [&](const jobs::job_request& request) {
    const auto answer = queue.put(request);
    return !answer && answer.error().code == core::errc::invalid_argument;
  };
  CHECK(refused({}));
  CHECK(refused({.input_blob = "a/b", .input_uri = "c"}));
  CHECK(refused({.input_blob = "../b"}));
  CHECK(refused({.id = "mine", .input_uri = "c"}));
  CHECK(refused({.input_uri = "c", .max_attempts = 0}));
  const auto id = take(queue.put(some_request())).record.id;
  CHECK(refused({.id = id, .input_uri = "c"}));
  CHECK(refused({.id = queue.new_id(), .input_blob = jobs::input_name(id)}));
  auto held = take(queue.lease("a", 30s)).value();
  CHECK(queue.progress(held, {}, std::string(256 * 1024 + 1, 'x'), 30s).error().code == core::errc::too_large);
}

TEST_CASE("a job is not accepted without its input, nor with one that may be removed any moment") {
  rig with;
  auto queue = with.queue();
  jobs::job_request request;
  request.id = queue.new_id();
  request.input_blob = jobs::input_name(request.id);
  CHECK(queue.put(request).error().code == core::errc::not_found);
  take(put_blob(queue.blobs(), request.input_blob, test::bytes_of("input")));
  with.world.now += 31min;
  CHECK(queue.put(request).error().code == core::errc::not_found);
  with.world.now += 30min;
  CHECK(take(queue.reconcile()).blobs_removed == 1);
  take(put_blob(queue.blobs(), request.input_blob, test::bytes_of("input")));
  CHECK(take(queue.put(request)).created);
  with.world.now += 2h;
  CHECK(take(queue.reconcile()).blobs_removed == 0);
}

TEST_CASE("a request that is repeated with its id is the same job, whatever became of it") {
  rig with;
  auto queue = with.queue();
  auto request = some_request();
  request.id = queue.new_id();
  request.input_uri.clear();
  request.input_blob = jobs::input_name(request.id);
  take(put_blob(queue.blobs(), request.input_blob, test::bytes_of("input")));
  CHECK(take(queue.put(request)).created);
  with.world.now += 1s;
  CHECK_FALSE(take(queue.put(request)).created);
  auto held = take(queue.lease("a", 30s)).value();
  publish(queue, held);
  take(queue.complete(held));
  const auto again = take(queue.put(request)); // its input is gone by now
  CHECK_FALSE(again.created);
  CHECK(again.record.state == job_state::done);
}

TEST_CASE("rules that cannot work are refused by name") {
  CHECK(jobs::job_rules{}.validate());
  jobs::job_rules rules;
  rules.longest_backoff = 1ms;
  CHECK(rules.validate().error().message == "longest_backoff: allowed: at least first_backoff");
  rules = {};
  rules.max_attempts = 0;
  CHECK(rules.validate().error().code == core::errc::bad_config);
}

TEST_CASE("jobs are listed from the newest back, however dense or far between they are") {
  jobs::job_rules rules;
  rules.page = 8;
  rig with{rules};
  auto queue = with.queue();
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i) {
    // Some within one millisecond, some with days between.
    if (with.world.draws.chance(0.3)) with.world.now += std::chrono::milliseconds{with.world.draws.between(1, 50)};
    if (with.world.draws.chance(0.05)) with.world.now += std::chrono::hours{with.world.draws.between(1, 500)};
    ids.push_back(take(queue.put(some_request())).record.id);
    if (i % 3 == 0) take(queue.cancel(ids.back()));
  }
  std::sort(ids.begin(), ids.end(), std::greater{});
  const auto all = [&](std::optional<job_state> state, std::size_t limit) {
    std::vector<std::string> out;
    std::string before;
    for (int i = 0; i < 1000; ++i) {
      const auto page = take(queue.newest(state, before, limit));
      CHECK(page.jobs.size() <= limit);
      for (const auto& each : page.jobs) out.push_back(each.id);
      if (!page.next) return out;
      before = *page.next;
    }
    FAIL("no end");
    return out;
  };
  for (const std::size_t limit : {1, 7, 300, 1000}) CHECK(all(std::nullopt, limit) == ids);
  CHECK(all(job_state::cancelled, 10).size() == 100);
  CHECK(all(job_state::queued, 9).size() == 200);
  CHECK(all(job_state::dead, 9).empty());
  CHECK(take(queue.newest(std::nullopt, ids[4], 2)).jobs.front().id == ids[5]);
  CHECK(queue.newest(std::nullopt, "x", 2).error().code == core::errc::invalid_argument);
}
