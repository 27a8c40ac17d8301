#include "scaling/simulator/trace.hpp"

#include <sstream>

#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::scaling::simulator;

namespace {

core::expected<load> read(const std::string& text) {
  std::istringstream in{text};
  return read_trace(in, "day.csv");
}

} // namespace

TEST_CASE("a trace has the arrivals of each second, none where a second is left out") {
  const auto trace = read("second,arrivals\n0,3\n1,0\r\n4,2.5\n\n");
  REQUIRE(trace);
  CHECK(trace->arrivals == std::vector<double>{3, 0, 0, 0, 2.5});
  CHECK(trace->length_s == 5);
  CHECK(trace->name == "day");
  CHECK(trace->mean() == Approx(1.1));
}

TEST_CASE("what is wrong in a trace is said with its line") {
  struct example {
    const char* text;
    const char* message;
  };
  const auto e =
      GENERATE(example{"", "day.csv:0: the file is empty"},
               example{"seconds,arrivals\n0,1\n", "day.csv:1: the title is not \"second,arrivals\""},
               example{"second,arrivals\n", "day.csv:1: no second follows the title"},
               example{"second,arrivals\n0,1\n1\n", "day.csv:3: \"1\" is not SECOND,ARRIVALS"},
               example{"second,arrivals\n0,1,2\n", "day.csv:2: \"0,1,2\" is not SECOND,ARRIVALS"},
               example{"second,arrivals\n-1,1\n", "day.csv:2: second: \"-1\" is no whole number from 0"},
               example{"second,arrivals\n0.5,1\n", "day.csv:2: second: \"0.5\" is no whole number from 0"},
               example{"second,arrivals\n0,many\n", "day.csv:2: arrivals: \"many\" is no number from 0"},
               example{"second,arrivals\n0,-2\n", "day.csv:2: arrivals: \"-2\" is no number from 0"},
               example{"second,arrivals\n0,nan\n", "day.csv:2: arrivals: \"nan\" is no number from 0"},
               example{"second,arrivals\n0,1\n2,1\n1,1\n", "day.csv:4: second 1 does not follow 2"},
               example{"second,arrivals\n0,1\n0,1\n", "day.csv:3: second 0 does not follow 0"},
               example{"second,arrivals\n99999999999,1\n", "day.csv:2: second 99999999999 is beyond 2999999"});
  const auto trace = read(e.text);
  REQUIRE_FALSE(trace);
  CHECK(trace.error() == core::error{core::errc::corrupt, e.message});
}

TEST_CASE("a trace that is not there is not found") {
  const auto trace = read_trace(std::filesystem::path{"no/such/trace.csv"});
  REQUIRE_FALSE(trace);
  CHECK(trace.error().code == core::errc::not_found);
}
