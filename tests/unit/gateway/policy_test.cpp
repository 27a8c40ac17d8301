#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <vector>

#include "gateway/figures.hpp"
#include "gateway/options.hpp"
#include "gateway/policy/admission.hpp"
#include "gateway/policy/event_queue.hpp"
#include "gateway/policy/rate_limiter.hpp"
#include "gateway/policy/token_table.hpp"
#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::gateway;
using namespace std::chrono_literals;

namespace {

const core::time_point start{std::chrono::hours{1}};

/// SHA-256 of "abc" (FIPS 180-2, B.1).
constexpr const char* digest_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Serves one request after the other, each in `service`, with `waiting` of them inside all the time.
void keep_busy(policy::admission& a, core::time_point& now, std::chrono::milliseconds service, int requests,
               int waiting) {
  for (int i = 0; i < waiting; ++i) REQUIRE(a.enter(now, 1h).admitted);
  for (int i = 0; i < requests; ++i) {
    now += service;
    a.leave(now, true);
    REQUIRE(a.enter(now, 1h).admitted);
  }
  for (int i = 0; i < waiting; ++i) a.leave(now, false);
}

} // namespace

TEST_CASE("a token opens the door if its digest is listed, and another does not", "[gateway]") {
  const policy::token_table table{
      {{"ann", digest_of_abc, {scope::jobs}}, {"root", std::string(64, '0'), {scope::admin}}}};
  const auto* who = table.find("abc");
  REQUIRE(who != nullptr);
  CHECK(who->name == "ann");
  CHECK(who->may(scope::jobs));
  CHECK_FALSE(who->may(scope::detect));
  CHECK_FALSE(who->may(scope::admin));
  CHECK(table.find("abd") == nullptr);
  CHECK(table.find("") == nullptr);
}

TEST_CASE("an administrator may do everything", "[gateway]") {
  const policy::token_table table{{{"root", digest_of_abc, {scope::admin}}}};
  for (const auto s : {scope::detect, scope::jobs, scope::streams, scope::admin}) CHECK(table.find("abc")->may(s));
}

TEST_CASE("a bearer token is read from its header and from no other scheme", "[gateway]") {
  CHECK(policy::bearer_token("Bearer abc") == "abc");
  CHECK(policy::bearer_token("bearer  abc ") == "abc");
  CHECK(policy::bearer_token("Basic abc").empty());
  CHECK(policy::bearer_token("Bearer").empty());
  CHECK(policy::bearer_token("Bearer ").empty());
  CHECK(policy::bearer_token("").empty());
}

TEST_CASE("a bucket lets a burst through, then as many as its rate", "[gateway]") {
  policy::rate_limiter limiter{{10, 3}};
  for (int i = 0; i < 3; ++i) CHECK(limiter.take("a", start).count() == 0);
  CHECK(limiter.take("a", start).count() == Approx(0.1));
  CHECK(limiter.take("b", start).count() == 0);
  CHECK(limiter.take("a", start + 100ms).count() == 0);
  CHECK(limiter.take("a", start + 100ms).count() == Approx(0.1));
  int passed = 0;
  for (int i = 1; i <= 1000; ++i) passed += limiter.take("a", start + 1s + i * 1ms).count() == 0 ? 1 : 0;
  CHECK(passed == 12); // three that had gathered, and ten a second
}

TEST_CASE("no rate means no limit", "[gateway]") {
  policy::rate_limiter limiter{{0, 1}};
  for (int i = 0; i < 1000; ++i) REQUIRE(limiter.take("a", start).count() == 0);
}

TEST_CASE("a flood of addresses shares one bucket once the table is full", "[gateway]") {
  policy::rate_limiter limiter{{1, 2}, 100};
  int passed = 0;
  for (int i = 0; i < 10'000; ++i) passed += limiter.take(std::to_string(i), start).count() == 0 ? 1 : 0;
  CHECK(passed == 102);
  CHECK(limiter.keys() == 100);
  // Those that came back to a full bucket make room for others.
  CHECK(limiter.take("new", start + 10s).count() == 0);
  CHECK(limiter.keys() == 1);
}

TEST_CASE("nobody is refused while nothing is measured, up to the bound", "[gateway]") {
  policy::admission a{{.in_flight = 4}};
  for (int i = 0; i < 4; ++i) CHECK(a.enter(start, 1ms).admitted);
  const auto v = a.enter(start, 1h);
  CHECK_FALSE(v.admitted);
  CHECK(v.retry_after.count() > 0);
  a.leave(start, true);
  CHECK(a.enter(start, 1ms).admitted);
}

TEST_CASE("the service rate is what is finished in a second of work, whatever the load", "[gateway]") {
  for (const auto service : {5ms, 40ms, 2000ms}) {
    policy::admission a{{.in_flight = 100, .max_wait = std::chrono::hours{1}}};
    auto now = start;
    keep_busy(a, now, service, 200, 5);
    CHECK(a.rate_per_s() == Approx(1000.0 / static_cast<double>(service.count())).epsilon(0.02));
    // Time without work does not count.
    const auto before = a.rate_per_s();
    static_cast<void>(a.enter(now + 1h, 1s));
    CHECK(a.rate_per_s() == before);
  }
}

TEST_CASE("who would wait longer than the deadline is refused and told when to come", "[gateway]") {
  policy::admission a{{.in_flight = 1000, .max_wait = 10s}};
  auto now = start;
  keep_busy(a, now, 10ms, 300, 2); // 100 a second
  int admitted = 0;
  policy::admission::verdict v;
  while ((v = a.enter(now, 200ms)).admitted) ++admitted;
  CHECK(admitted == Approx(21).margin(1)); // those before the last wait 200 ms
  CHECK(v.wait.count() == Approx(0.21).epsilon(0.05));
  CHECK(v.retry_after.count() == Approx(0.01).margin(0.01));
  CHECK(a.enter(now, 1s).admitted); // one with more patience
}

TEST_CASE("a rate that was measured too low never shuts the door", "[gateway]") {
  policy::admission a{{.in_flight = 100, .max_wait = 1s}};
  auto now = start;
  for (int i = 0; i < 5; ++i) { // a slow start: 30 s each
    REQUIRE(a.enter(now, 1s).admitted);
    now += 30s;
    a.leave(now, true);
  }
  CHECK(a.rate_per_s() == Approx(1.0 / 30).epsilon(0.1));
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(a.enter(now, 1s).admitted);
    now += 10ms;
    a.leave(now, true);
  }
  CHECK(a.rate_per_s() > 50);
}

TEST_CASE("a service that has stopped is seen while its requests wait", "[gateway]") {
  policy::admission a{{.in_flight = 100, .max_wait = 10s}};
  auto now = start;
  keep_busy(a, now, 10ms, 300, 2);
  for (int i = 0; i < 10; ++i) REQUIRE(a.enter(now, 1s).admitted);
  CHECK(a.enter(now + 100ms, 1s).admitted);
  CHECK_FALSE(a.enter(now + 60s, 1s).admitted);
}

TEST_CASE("at twice the capacity the admitted wait no longer than the bound, and capacity is used", "[gateway]") {
  policy::admission a{{.in_flight = 1000, .max_wait = 100ms}};
  // Requests every 5 ms for a server that needs 10 ms for each, first come first served.
  std::vector<core::time_point> queue;
  core::time_point now = start;
  core::time_point free_at = start;
  std::size_t served = 0;
  double longest = 0;
  for (int i = 0; i < 4000; ++i, now += 5ms) {
    while (served < queue.size()) {
      const auto done = std::max(free_at, queue[served]) + 10ms;
      if (done > now) break;
      if (i > 400) longest = std::max(longest, core::seconds{done - queue[served]}.count());
      free_at = done;
      a.leave(done, true);
      ++served;
    }
    if (a.enter(now, 10s).admitted) queue.push_back(now);
  }
  CHECK(longest < 0.13);
  CHECK(served > 1900); // of 2000 possible
}

TEST_CASE("a reader's filter keeps streams, kinds and labels apart", "[gateway]") {
  const event seen{"result", "door", {"dog", "cat"}, "{}"};
  CHECK(policy::event_filter{}.wants(seen));
  CHECK(policy::event_filter{.streams = {"yard", "door"}, .labels = {"cat"}, .kinds = {"result"}}.wants(seen));
  CHECK_FALSE(policy::event_filter{.streams = {"yard"}}.wants(seen));
  CHECK_FALSE(policy::event_filter{.labels = {"car"}}.wants(seen));
  CHECK_FALSE(policy::event_filter{.kinds = {"worker"}}.wants(seen));
}

TEST_CASE("a full queue of events loses the oldest and counts them", "[gateway]") {
  policy::event_queue queue{{.streams = {"door"}}, 3};
  for (int i = 0; i < 5; ++i) {
    bool lost = false;
    CHECK(queue.push(std::make_shared<event>(event{"result", "door", {}, std::to_string(i)}), &lost));
    CHECK(lost == (i >= 3));
    CHECK_FALSE(queue.push(std::make_shared<event>(event{"result", "yard", {}, "no"})));
  }
  CHECK(queue.take_lost() == 2);
  CHECK(queue.take_lost() == 0);
  CHECK(queue.pop()->json == "2");
  CHECK(queue.pop()->json == "3");
  CHECK(queue.pop()->json == "4");
  CHECK(queue.pop() == nullptr);
}

TEST_CASE("options are refused with the name of what is wrong", "[gateway]") {
  struct bad {
    std::function<void(options&)> change;
    std::string names;
  };
  const std::vector<bad> table{
      {[](options& o) { o.address = "8080"; }, "address"},
      {[](options& o) { o.address = "x:70000"; }, "address"},
      {[](options& o) {
         o.tokens = {{"", digest_of_abc, {scope::jobs}}};
       },
       "tokens"},
      {[](options& o) {
         o.tokens = {{"a", "abc", {scope::jobs}}};
       },
       "tokens.a.sha256"},
      {[](options& o) {
         o.tokens = {{"a", digest_of_abc, {}}};
       },
       "tokens.a.scopes"},
      {[](options& o) {
         o.tokens = {{"a", digest_of_abc}, {"a", digest_of_abc}};
       },
       "twice"},
      {[](options& o) { o.rate_per_token.per_s = -1; }, "rate_per_token.per_s"},
      {[](options& o) {
         o.rate_per_address = {1, 0.5};
       },
       "rate_per_address.burst"},
      {[](options& o) { o.rate_per_address.per_s = std::nan(""); }, "rate_per_address.per_s"},
      {[](options& o) { o.tls.certificate = "x.pem"; }, "tls"},
      {[](options& o) { o.cors_origins = {"example.com"}; }, "cors_origins"},
      {[](options& o) { o.cors_origins = {"https://example.com/path"}; }, "cors_origins"},
      {[](options& o) { o.limits.connections = 0; }, "limits.connections"},
      {[](options& o) { o.limits.header_bytes = 10; }, "limits.header_bytes"},
      {[](options& o) { o.timeouts.body = std::chrono::milliseconds{0}; }, "timeouts.body"},
      {[](options& o) { o.admission.deadline = std::chrono::hours{1}; }, "admission.deadline"},
      {[](options& o) { o.preview.fps = 0; }, "preview.fps"},
  };
  CHECK(validate(options{}).has_value());
  for (const auto& b : table) {
    options o;
    b.change(o);
    const auto result = validate(o);
    INFO(b.names);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == core::errc::bad_config);
    CHECK(result.error().message.find(b.names) != std::string::npos);
  }
}

TEST_CASE("the manual names every reason for a refusal", "[gateway]") {
  std::ifstream in{"docs/http.md"};
  std::stringstream manual;
  manual << in.rdbuf();
  const auto text = manual.str();
  for (std::size_t i = 0; i < barred_count; ++i) {
    const auto name = "`" + std::string{to_string(static_cast<barred>(i))} + "`";
    INFO(name);
    CHECK(text.find(name) != std::string::npos);
  }
}
