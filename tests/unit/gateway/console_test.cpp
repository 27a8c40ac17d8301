#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/gateway/fake_api.hpp"

using namespace penstock;
using namespace penstock::test;
using namespace std::string_literals;

namespace {

std::string file_of(const std::string& name) {
  std::ifstream in{"gateway/console/" + name};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::set<std::string> all_of(const std::string& text, const std::string& pattern) {
  const std::regex expression{pattern};
  std::set<std::string> found;
  for (auto at = std::sregex_iterator{text.begin(), text.end(), expression}; at != std::sregex_iterator{}; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

} // namespace

TEST_CASE("the console comes out of the program as it lies in its folder, with a strict policy", "[gateway]") {
  fixture f;
  f.options.tokens = {{"ann", std::string(64, 'a'), {gateway::scope::admin}}}; // the page needs none
  f.open();
  for (const auto& [path, file, type] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"/", "index.html", "text/html; charset=utf-8"},
           {"/console.css", "console.css", "text/css; charset=utf-8"},
           {"/console.js", "console.js", "text/javascript; charset=utf-8"}}) {
    const auto r = ask(f.port, "GET", path);
    INFO(path);
    CHECK(r.status == 200);
    CHECK(r.get("Content-Type") == type);
    CHECK(r.get("Content-Security-Policy").starts_with("default-src 'none'; script-src 'self';"));
    REQUIRE_FALSE(r.body.empty());
    CHECK(r.body == file_of(file));
  }
}

TEST_CASE("without the console nothing is served in its place", "[gateway]") {
  fixture f;
  f.options.console = false;
  f.open();
  CHECK(ask(f.port, "GET", "/").status == 404);
}

TEST_CASE("the console loads nothing from elsewhere, runs nothing inline, and asks for what there is", "[gateway]") {
  const auto page = file_of("index.html");
  const auto script = file_of("console.js");
  const auto style = file_of("console.css");
  CHECK(all_of(page, "(?:src|href)=\"([^\"#]+)\"") ==
        std::set<std::string>{"console.css", "console.js", "data:,", "/metrics"});
  for (const auto& text : {page, script, style}) CHECK(text.find("://") == std::string::npos);
  CHECK(all_of(page, "\\s(on\\w+|style)=").empty());
  CHECK(script.find("innerHTML") == std::string::npos);
  CHECK(script.find("eval(") == std::string::npos);
  // Every element that the script looks for is on the page, once.
  const auto ids = all_of(script, "byId\\('([^']+)'\\)");
  CHECK(ids.size() > 15);
  for (const auto& id : ids) {
    INFO(id);
    const auto mark = "id=\"" + id + "\"";
    CHECK(page.find(mark) != std::string::npos);
    CHECK(page.find(mark) == page.rfind(mark));
  }
  // And every path that it asks for is served.
  fixture f;
  f.open();
  for (auto path : all_of(script, "['`](/v1/[^'`?]+)")) {
    path = std::regex_replace(path, std::regex{"\\$\\{[^}]*\\}"}, "x");
    INFO(path);
    const auto status = ask(f.port, "GET", path).status;
    CHECK((status == 501 || status == 405));
  }
}
