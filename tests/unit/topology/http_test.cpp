#include <filesystem>

#include "sandbox.hpp"
#include "tests/catch.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;

using strings = std::vector<std::string>;

namespace {

const std::string digest(64, 'a');

/// A gateway that serves images, with a section `http`; `section` begins in line 6.
std::string images(const std::string& section = "", const std::string& address = "127.0.0.1:8080") {
  return "stages:\n  inference: {model: m.onnx}\n  postprocess: {head: yolov8}\nnodes:\n  head: {stages: [all], http: "
         "\"" +
         address + "\"}\n" + section;
}

strings with(const std::string& override_text) {
  auto o = options();
  o.overrides = {override_text};
  return complaints(images(), o);
}

} // namespace

TEST_CASE("a gateway that serves images needs neither streams nor sinks", "[topology]") {
  CHECK(complaints(images()) == strings{});
  const auto loaded = load_text(images(), "t.yaml", options());
  REQUIRE(loaded);
  CHECK(loaded->config.nodes[0].stages.size() == 6);
  CHECK(loaded->config.http == http_config{});
}

TEST_CASE("what is wrong in http is named with its place and what is allowed", "[topology]") {
  struct row {
    std::string set;
    strings problems;
  };
  const auto token = [](const std::string& more) { return "{sha256: " + digest + ", " + more + "}"; };
  const std::vector<row> rows{
      {"http.tokens=[" + token("name: ann") + ", " + token("name: ann") + "]",
       {"--set:1:110: http.tokens.1.sha256: is of the same token as http.tokens.0.sha256",
        "--set:1:182: http.tokens.1.name: found 'ann', which http.tokens.0.name is already"}},
      {"http.tokens=[" + token("name: ann, scopes: [detect, job]") + "]",
       {"--set:1:117: http.tokens.0.scopes.1: found 'job'; allowed: detect, jobs, streams, admin; did you mean "
        "'jobs'?"}},
      {"http.tokens=[" + token("name: ann, scopes: []") + "]",
       {"--set:1:108: http.tokens.0.scopes: has no scope; allowed: detect, jobs, streams, admin"}},
      {"http.tokens=[" + token("name: ann, scopes: [jobs, admin, jobs]") + "]",
       {"--set:1:122: http.tokens.0.scopes.2: stands twice"}},
      {"http.tokens=[{name: ann}]",
       {"--set:1:14: http.tokens.0.sha256: is missing; allowed: 64 hexadecimal digits, as `printf %s TOKEN | "
        "sha256sum` "
        "prints them"}},
      {"http.tls.key=k.pem",
       {"--set:1:10: http.tls.certificate: is missing; allowed: a path, since http.tls.key is there"}},
      {"http.tls.certificate=c.pem",
       {"--set:1:10: http.tls.key: is missing; allowed: a path, since http.tls.certificate is there"}},
      {"http.cors=[example.org]",
       {"--set:1:12: http.cors.0: found 'example.org'; allowed: *, or SCHEME://HOST[:PORT] without a path"}},
      {"http.cors=[\"https://example.org/\"]",
       {"--set:1:12: http.cors.0: found 'https://example.org/'; allowed: *, or SCHEME://HOST[:PORT] without a path"}},
      {"http.limits.header=2MiB",
       {"--set:1:20: http.limits.header: found '2MiB'; allowed: a size such as 64MiB, from 1KiB to 1MiB"}},
      {"http.rate.per_token.burst=0.5",
       {"--set:1:27: http.rate.per_token.burst: found '0.5'; allowed: a number from 1"}},
      {"http.timeouts.idle=10",
       {"--set:1:20: http.timeouts.idle: found '10'; allowed: a time such as 4ms, 3s or 5min, from 1ms"}},
      {"http.admission.deadline=2min", {"--set:1:16: http.admission: deadline is larger than max_deadline"}},
      {"http.open.docs=true", {"--set:1:11: http.open.docs: unknown key 'docs'; allowed: health, metrics"}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.set);
    CHECK(with(r.set) == r.problems);
  }
}

TEST_CASE("a token in clear is refused with what to write, and never shown", "[topology]") {
  CHECK(
      with("http.tokens=[{name: ann, token: hush}]") ==
      strings{"--set:1:14: http.tokens.0.sha256: is missing; allowed: 64 hexadecimal digits, as `printf %s TOKEN | "
              "sha256sum` prints them",
              "--set:1:26: http.tokens.0.token: unknown key 'token'; allowed: name, sha256, scopes; a token stands in "
              "no file: write the sha256 of it"});
  CHECK(with("http.tokens=[{name: ann, sha256: hush}]") ==
        strings{"--set:1:34: http.tokens.0.sha256: found text, not shown here; allowed: 64 hexadecimal digits, as "
                "`printf %s TOKEN | sha256sum` prints them"});
  CHECK(with("http.tokens=[hush]") ==
        strings{"--set:1:14: http.tokens.0: found text, not shown here; allowed: a map with name, sha256, scopes"});
  CHECK(with("http.tokens=hush") ==
        strings{"--set:1:13: http.tokens: found text, not shown here; allowed: a list; each "
                "item: a map with name, sha256, scopes"});
  CHECK(with("http.tokens=[{name: ann, sha256: " + std::string(63, 'a') + "g}]").size() == 1);
}

TEST_CASE("what http says of a door that nobody opens is said", "[topology]") {
  CHECK(complaints(std::string{minimal} + "http: {console: false}\n") ==
        strings{"t.yaml:8:7: http: note: no role has http, so there is no door"});
  CHECK(complaints(std::string{minimal} + "http: {console: true}\n") == strings{}); // the default
  CHECK(complaints(std::string{minimal} + R"(nodes:
  h: {stages: [source, collector], listen: "tcp://0.0.0.0:1"}
  w: {stages: [decode, preprocess, inference, postprocess], dial: "tcp://h:1", http: "127.0.0.1:1"}
)") == strings{"t.yaml:10:86: nodes.w.http: note: the door is at the role with source; this one has no use for it"});
}

TEST_CASE("a door beyond loopback that would not open is said", "[topology]") {
  const auto warned = [](const std::string& address, const std::string& section) {
    const auto all = complaints(images(section, address));
    for (const auto& line : all) {
      if (line.find("nodes.head.http: note: " + address + " can be reached from other machines") != std::string::npos)
        return true;
    }
    CHECK(all.empty());
    return false;
  };
  for (const auto* address : {"0.0.0.0:8080", "[::]:8080", "10.0.0.1:0", "door.example:443"}) {
    CAPTURE(address);
    CHECK(warned(address, ""));
    CHECK_FALSE(warned(address, "http: {tokens: [{name: ann, sha256: " + digest + "}]}\n"));
    CHECK_FALSE(warned(address, "security: {insecure: true}\n"));
  }
  for (const auto* address : {"127.0.0.1:8080", "127.1.2.3:1", "localhost:8080", "[::1]:8080"}) {
    CAPTURE(address);
    CHECK_FALSE(warned(address, ""));
  }
}

TEST_CASE("a certificate that is not on this machine is said, and stops no worker", "[topology]") {
  const sandbox box;
  auto o = options();
  o.check_files = true;
  box.write("m.onnx");
  box.write("key.pem");
  const auto file = box.write("t.yaml", images("http: {tls: {certificate: cert.pem, key: key.pem}}\n"));
  const auto loaded = load(file, o);
  REQUIRE(loaded);
  CHECK(lines(loaded->notes) ==
        strings{file.string() + ":6:27: http.tls.certificate: note: '" + box.path("cert.pem").string() +
                "' does not exist on this machine, whose door would not open"});
}
