#include "cli/terminal.hpp"

#include <string>
#include <vector>

#include "cli/table.hpp"
#include "tests/catch.hpp"

using namespace penstock::cli;

namespace {

table some_table() {
  table t{{{"STREAM", false, 0, 8}, {"FPS", true, 0, 0}, {"DROPPED", true, 2, 0}, {"REASONS", false, 5, 12}}};
  t.add({"a-camera-with-a-long-name", "24.9", "7", "shed 3, corrupt 4, engine_error 12"});
  t.add({"yard", "5.0", "0", ""}, true);
  return t;
}

} // namespace

TEST_CASE("text from outside can neither move the cursor nor break a line") {
  CHECK(printable("dog \x1b[2J\n\x07 cat") == "dog ?[2J?? cat");
  CHECK(printable("Höfli 摄像机 🎥") == "Höfli 摄像机 🎥");
  CHECK(printable("\xc2\x9b") == "?");     // a control of one character, C1
  CHECK(printable("\xe2\x80\xae") == "?"); // turns the direction of writing
  CHECK(printable("\xff\xfe") == "??");
  CHECK(printable("\xc0\xaf") == "??");      // not the shortest form
  CHECK(printable("\xed\xa0\x80") == "???"); // half of a pair
  CHECK(printable("a\xe6\x91") == "a??");    // cut off
}

TEST_CASE("a terminal's columns are counted, not bytes") {
  CHECK(columns_of("abc") == 3);
  CHECK(columns_of("Höfli") == 5);
  CHECK(columns_of("摄像机") == 6);
  CHECK(columns_of("e\xcc\x81") == 1); // an accent that combines
  CHECK(columns_of("█░") == 2);
}

TEST_CASE("what is too long ends with an ellipsis, and never within a character") {
  CHECK(cut("abcdef", 6) == "abcdef");
  CHECK(cut("abcdef", 5) == "abcd…");
  CHECK(cut("摄像机", 5) == "摄像…");
  CHECK(cut("摄像机", 4) == "摄…");
  CHECK(cut("abc", 1) == "…");
  CHECK(cut("abc", 0).empty());
}

TEST_CASE("a bar is as full as its share, whatever that is") {
  CHECK(bar(0.5, 4) == "██░░");
  CHECK(bar(-1, 2) == "░░");
  CHECK(bar(7, 2) == "██");
}

TEST_CASE("a table without a width is as wide as it is") {
  const auto lines = some_table().lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].title);
  CHECK(lines[0].text == "STREAM                      FPS  DROPPED  REASONS");
  CHECK(lines[1].text == "a-camera-with-a-long-name  24.9        7  shed 3, corrupt 4, engine_error 12");
  CHECK(lines[2].text == "yard                        5.0        0");
  CHECK(lines[2].alert);
}

TEST_CASE("a table in a narrow terminal shortens texts first and then leaves out what matters least") {
  const auto at = [](std::size_t width) { return some_table().lines(width); };
  CHECK(at(60)[1].text == "a-camera-with-a-long…  24.9        7  shed 3, corrupt 4, en…");
  CHECK(at(40)[0].text == "STREAM        FPS  DROPPED  REASONS");
  CHECK(at(30)[1].text == "a-camera-with-…  24.9        7");
  CHECK(at(14)[0].text == "STREAM     FPS");
  for (std::size_t width = 1; width < 90; ++width)
    for (const auto& line : at(width)) CHECK(columns_of(line.text) <= width);
}

TEST_CASE("rows that have no room are counted") {
  table t{{{"N", true, 0, 0}}};
  for (int i = 0; i < 5; ++i) t.add({std::to_string(i)});
  const auto texts = [&](std::size_t most) {
    std::vector<std::string> out;
    for (const auto& line : t.lines({}, most)) out.push_back(line.text);
    return out;
  };
  CHECK(texts(5) == std::vector<std::string>{"N", "0", "1", "2", "3", "4"});
  CHECK(texts(3) == std::vector<std::string>{"N", "0", "1", "… and 3 more"});
  CHECK(texts(0) == std::vector<std::string>{"N", "… and 5 more"});
}
