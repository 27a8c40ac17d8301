#include "scaling/source/heads.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace penstock;
using scaling::worker_stage;

namespace {

std::string state(const std::string& workers) { return R"({"pipeline":"p","workers":[)" + workers + "]}"; }

std::string worker(const std::string& name, const std::string& how, int leases, const std::string& role = "worker") {
  return R"({"name":")" + name + R"(","role":")" + role + R"(","state":")" + how + R"(","leases":)" +
         std::to_string(leases) + "}";
}

} // namespace

TEST_CASE("a head's state names the workers of the role, where they are and what they hold", "[scaling][heads]") {
  const auto found = scaling::workers_in(state(worker("a", "working", 3) + "," + worker("b", "warming", 0) + "," +
                                               worker("c", "draining", 1) + "," + worker("d", "silent", 2) + "," +
                                               worker("other", "working", 9, "gpu")),
                                         "worker");
  REQUIRE(found);
  REQUIRE(found->size() == 4);
  CHECK((*found)[0].name == "a");
  CHECK((*found)[0].stage == worker_stage::ready);
  CHECK((*found)[0].leases == 3);
  CHECK((*found)[1].stage == worker_stage::warming);
  CHECK((*found)[2].stage == worker_stage::draining);
  CHECK((*found)[3].stage == worker_stage::lost);
  CHECK(scaling::workers_in(state(""), "worker")->empty());
}

TEST_CASE("what is no state of a head is an error, never a fleet without workers", "[scaling][heads]") {
  for (const auto& text : {std::string{}, std::string{"[]"}, std::string{"{}"}, std::string{R"({"workers":{}})"},
                           state("1"), state("{}"), state(R"({"name":"a","role":"worker","state":"working"})"),
                           state(R"({"name":"a","role":"worker","state":"working","leases":-1})"),
                           state(R"({"name":"a","state":"working","leases":1})"), state(worker("a", "asleep", 0))}) {
    CAPTURE(text);
    const auto found = scaling::workers_in(text, "worker");
    REQUIRE_FALSE(found);
    CHECK(found.error().code == core::errc::corrupt);
  }
}

TEST_CASE("addresses of doors that are none are refused", "[scaling][heads]") {
  scaling::heads_options options;
  CHECK_FALSE(scaling::open_heads(options));
  options.urls = {"http://h:1/"};
  CHECK_FALSE(scaling::open_heads(options));
  options.urls = {"h:1"};
  CHECK_FALSE(scaling::open_heads(options));
  options.urls = {"http://h:1"};
  CHECK(scaling::open_heads(options));
  options.token = "a\nb";
  CHECK_FALSE(scaling::open_heads(options));
}
