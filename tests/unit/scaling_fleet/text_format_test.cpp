#include "scaling/source/text_format.hpp"

#include <cmath>

#include "tests/simulation/random.hpp"
#include "tests/unit/scaling_fleet/rig.hpp"

using namespace penstock;
using scaling::metric_sample;
using scaling::parse_text_format;
using test::holds;
using test::take;

TEST_CASE("samples are read with their labels, escapes and special values") {
  const auto read = take(parse_text_format("# HELP a_total What \\n it is\n"
                                           "# TYPE a_total counter\n"
                                           "a_total 3\n"
                                           "a_total{x=\"1\"} +4.5e1 1395066363000\n"
                                           "\n"
                                           "  \t \n"
                                           "# just words {\n"
                                           "#\n"
                                           "a:b { x = \"a\\\\b\\\"c\\nd}\" , y=\"\", } -Inf -7\n"
                                           "c{}\t.5\n"
                                           "d{x=\"\xc3\xa9\"} 1e999\n"
                                           "e 1e-999\n"));
  CHECK(read == std::vector<metric_sample>{{"a_total", {}, 3},
                                           {"a_total", {{"x", "1"}}, 45},
                                           {"a:b", {{"x", "a\\b\"c\nd}"}, {"y", ""}}, -INFINITY},
                                           {"c", {}, 0.5},
                                           {"d", {{"x", "\xc3\xa9"}}, INFINITY},
                                           {"e", {}, 0}});
  const auto none = take(parse_text_format("n NaN\n"));
  CHECK(std::isnan(none.at(0).value));
  CHECK(take(parse_text_format("")).empty());
  CHECK(take(parse_text_format("ab 1\nb 2\nabc 3\n", "ab")).size() == 2);
}

TEST_CASE("what does not follow the format is refused with the number of its line") {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"a 1", "does not end"},
      {"a", "does not end"},
      {"a\n", "no number"},
      {"a x\n", "no number"},
      {"a nan\n", "no number"},
      {"a inf\n", "no number"},
      {"a infinity\n", "no number"},
      {"a 0x10\n", "no number"},
      {"a 1_000\n", "no number"},
      {"a --1\n", "no number"},
      {"a +-1\n", "no number"},
      {"a -NaN\n", "no number"},
      {"a 1,5\n", "no number"},
      {"a 1 2 3\n", "more than"},
      {"a 1 2.5\n", "a time stamp"},
      {"a 1 99999999999999999999\n", "a time stamp"},
      {"a 1 # comment\n", "a time stamp"},
      {"a 1\r\n", "no number"},
      {"1a 1\n", "no metric's name"},
      {"{x=\"1\"} 1\n", "no metric's name"},
      {"a-b 1\n", "no number"},
      {"a{x} 1\n", "no '='"},
      {"a{x=1} 1\n", "no quote"},
      {"a{x=\"1} 1\n", "wrong escape or no end"},
      {"a{x=\"1\\\"} 1\n", "wrong escape or no end"},
      {"a{x=\"\\t\"} 1\n", "wrong escape"},
      {"a{x=\"1\"y=\"2\"} 1\n", "neither ','"},
      {"a{x=\"1\",,y=\"2\"} 1\n", "no label's name"},
      {"a{,} 1\n", "no label's name"},
      {"a{x:y=\"1\"} 1\n", "no '='"},
      {"a{x=\"1\",x=\"1\"} 1\n", "a label twice"},
      {"a{x=\"1\" 1\n", "neither ','"},
      {"# TYPE a size\n", "a type that there is not"},
      {"# TYPE a\n", "a type that there is not"},
      {"# TYPE a gauge more\n", "a type that there is not"},
      {"# TYPE\n", "without a metric's name"},
      {"# HELP 7\n", "without a metric's name"},
      {"# TYPE a gauge\n# TYPE a gauge\n", "a second TYPE"},
      {"a 1\n# TYPE a gauge\n", "after the metric's samples"},
      {"<html>\n", "no metric's name"},
  };
  for (const auto& [text, why] : cases) {
    INFO(text);
    const auto read = parse_text_format("ok 1\n" + std::string{text});
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::corrupt);
    CHECK(holds(read.error().message, why));
    CHECK(
        holds(read.error().message, text[0] == 'a' && std::string_view{text}.find("# TYPE") == 4 ? "line 3" : "line "));
  }
  CHECK(holds(parse_text_format("a 1\nb 2\n!\n").error().message, "metrics: line 3: "));
  std::string many{"a{"};
  for (int label = 0; label < 65; ++label) many += "l" + std::to_string(label) + "=\"\",";
  CHECK(holds(parse_text_format(many + "} 1\n").error().message, "too many labels"));
}

TEST_CASE("no bytes make the reader fall over, and what it takes it takes again the same") {
  const std::string whole = "# TYPE a counter\na{x=\"1\",y=\"a\\nb\"} 3.5 17\nb NaN\n# HELP c d\nc{} -1e-7\n";
  test::random draws{7};
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto text = whole;
    for (auto changes = draws.between(1, 4); changes > 0; --changes) {
      const auto at = static_cast<std::size_t>(draws.between(0, static_cast<std::int64_t>(text.size()) - 1));
      switch (draws.between(0, 2)) {
      case 0: text[at] = static_cast<char>(draws.between(0, 255)); break;
      case 1: text.erase(at, 1); break;
      default: text.insert(at, 1, "{}\"\\=, \n#1eN"[draws.between(0, 12)]);
      }
    }
    const auto read = parse_text_format(text);
    if (!read) {
      if (!holds(read.error().message, "line ")) FAIL(read.error().message);
      continue;
    }
    ++taken;
    const auto again = parse_text_format(text);
    REQUIRE(again);
    REQUIRE(again->size() == read->size());
  }
  CHECK(taken > 100);
}
