#include <algorithm>
#include <random>

#include "tests/unit/gateway/fake_api.hpp"
#include "tests/unit/gateway/fake_parts.hpp"

using namespace penstock;
using namespace penstock::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

/// Everything attached, with times so short that no mutant holds a test up.
struct strict_fixture : fixture {
  strict_fixture() {
    options.limits.header_bytes = 4096;
    options.limits.image_bytes = 200'000;
    options.timeouts.header = 100ms;
    options.timeouts.idle = 100ms;
    options.timeouts.body = 100ms;
    options.timeouts.write = 1s;
    attach = [this](gateway::api& a) {
      a.jobs = &jobs;
      a.streams = &streams;
      a.state = &state;
      a.events = &events;
    };
  }
  fake_jobs jobs;
  fake_streams streams;
  fake_state state;
  gateway::event_hub events;
};

std::vector<std::string> valid_requests() {
  const auto picture = jpeg_of(64, 48);
  const auto form =
      "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.jpg\"\r\n\r\n" + picture + "\r\n--b--\r\n";
  const auto with_body = [](const std::string& head, const std::string& body) {
    return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  return {
      with_body("POST /v1/detect?annotate=true HTTP/1.1\r\nHost: x\r\nPenstock-Deadline-Ms: 100\r\n", picture),
      with_body("POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n", form),
      "POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4;a=b\r\n\xff\xd8\xff\xe0\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n",
      with_body("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nExpect: 100-continue\r\n",
                transport_stream(4)),
      with_body("POST /v1/streams HTTP/1.1\r\nHost: x\r\n", R"({"id": "a", "uri": "rtsp://x"})"),
      "GET /v1/jobs?state=done&limit=5&after=abc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer abc\r\n\r\n",
      "GET /v1/streams/door/snapshot.jpg HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "GET /v1/events?stream=a,b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Key: "
      "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x89\x84mask1234\x88\x80mask",
      "DELETE /v1/jobs/%6aob-1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  };
}

/// Flips, deletes, repeats, swaps and inserts, as radamsa does.
std::string mutated(std::string text, std::mt19937& random) {
  static const std::vector<std::string> spices{"\r\n",
                                               "\r\n\r\n",
                                               "\0"s,
                                               "%00",
                                               "%2e%2e/",
                                               "-1",
                                               "99999999999999999999",
                                               "0x10",
                                               ": ",
                                               "chunked",
                                               "Content-Length: 5\r\n",
                                               "Transfer-Encoding: chunked\r\n",
                                               "\xff\xff\xff\xff",
                                               "ffffffffffffffff\r\n",
                                               ";",
                                               "\"",
                                               "--b",
                                               "HTTP/9.9",
                                               " "};
  for (auto n = random() % 5 + 1; n > 0; --n) {
    if (text.empty()) text = "x";
    const auto at = random() % text.size();
    const auto length = random() % 20;
    switch (random() % 7) {
    case 0: text[at] = static_cast<char>(random()); break;
    case 1: text[at] = static_cast<char>(text[at] ^ (1 << (random() % 8))); break;
    case 2: text.erase(at, length); break;
    case 3: text.insert(at, text.substr(random() % text.size(), length)); break;
    case 4: text.insert(at, spices[random() % spices.size()]); break;
    case 5: text.insert(at, std::string(random() % 3000, text[at])); break;
    default: text.resize(at + 1);
    }
  }
  return text;
}

} // namespace

TEST_CASE("mutated requests neither crash the door nor keep it from others", "[gateway]") {
  strict_fixture f;
  f.open();
  std::mt19937 random{20'240'501};
  const auto originals = valid_requests();
  int statuses[6]{};
  client witness{f.port};
  for (int i = 0; i < 10'000; ++i) {
    client c{f.port};
    REQUIRE(c.connected());
    c.send(mutated(originals[random() % originals.size()], random));
    c.finish_sending();
    const auto r = c.read_reply(true);
    ++statuses[std::min(r.status / 100, 5)];
    if (i % 500 == 0) CHECK(ask(f.port, "GET", "/healthz").status == 200);
  }
  CHECK(statuses[2] > 500);
  CHECK(statuses[4] > 2000);
  CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(4, 4)).status == 200);
  CHECK(eventually([&] { return f.figure("penstock_http_connections") <= 1; }));
}

TEST_CASE("gigantic headers are refused", "[gateway]") {
  strict_fixture f;
  f.options.timeouts.header = 10s;
  f.open();
  {
    client c{f.port};
    c.send("GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'x'));
    CHECK(c.read_reply().status == 431);
    CHECK(c.is_closed());
  }
  {
    client c{f.port};
    std::string many = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 5000; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
    c.send(many + "\r\n");
    CHECK(c.read_reply().status == 431);
  }
  {
    client c{f.port};
    c.send("GET /" + std::string(100'000, 'x'));
    CHECK(c.read_reply().status == 431);
  }
  CHECK(f.refused("header_bytes") == 3);
}

TEST_CASE("what could be understood in two ways is refused", "[gateway]") {
  strict_fixture f;
  f.open();
  for (const auto& bad :
       {"GET /healthz HTTP/1.1\r\n\r\n"s,                       // no Host
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"s, // two
        "GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n"s,       // not for a proxy
        "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\n"s,
        "POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"s,
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\nB\r\n\r\n"s, "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n"s,
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s}) {
    client c{f.port};
    c.send(bad);
    INFO(bad);
    CHECK(c.read_reply().status == 400);
    CHECK(c.is_closed());
  }
}

TEST_CASE("a body shorter than it says ends with 408, one that stops with the connection ends with it", "[gateway]") {
  strict_fixture f;
  f.open();
  client c{f.port};
  c.send("POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
  CHECK(c.read_reply().status == 408);
  CHECK(c.is_closed());
  CHECK(f.refused("body_time") == 1);
  client two{f.port};
  two.send("POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
  two.finish_sending();
  CHECK(two.is_closed());
  client three{f.port};
  three.send("POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  CHECK(three.read_reply().status == 400);
  client four{f.port};
  four.send("POST /v1/detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(200'000, 'x'));
  CHECK(four.read_reply().status == 400); // an extension without end
  CHECK(f.detect.asked == 0);
}

TEST_CASE("a body that drips in is given up, however often a byte comes", "[gateway]") {
  strict_fixture f;
  f.options.timeouts.body = 200ms;
  f.options.timeouts.body_bytes_per_s = 1'000'000;
  f.open();
  client c{f.port};
  c.send("POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  const auto began = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - began < 20s && c.read(1ms).empty() && c.send_some("x") == 1) {
  }
  CHECK(std::chrono::steady_clock::now() - began < 5s);
  CHECK(eventually([&] { return f.refused("body_time") == 1; }));
}

TEST_CASE("connections that send nothing, or headers without end, are closed", "[gateway]") {
  strict_fixture f;
  f.open();
  client silent{f.port};
  client slow{f.port};
  slow.send("GET /healthz HTTP/1.1\r\nHo");
  CHECK(slow.read_reply().status == 408);
  CHECK(silent.is_closed());
  CHECK(silent.read().empty());
  client idle{f.port};
  idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(idle.read_reply().status == 200);
  CHECK(idle.is_closed());
  CHECK(f.refused("header_time") == 1);
}

TEST_CASE("slow clients that fill the hall make room for those who ask", "[gateway]") {
  strict_fixture f;
  f.options.limits.connections = 200;
  f.options.timeouts.header = 60s;
  f.options.timeouts.idle = 60s;
  f.open();
  std::vector<client> slow;
  for (int i = 0; i < 500; ++i) {
    slow.emplace_back(f.port);
    slow.back().send("GET /healthz HTTP/1.1\r\nX: ");
    if (i % 50 == 0) CHECK(ask(f.port, "GET", "/healthz").status == 200);
  }
  for (int i = 0; i < 100; ++i) CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(4, 4)).status == 200);
  CHECK(f.figure("penstock_http_connections") <= 200);
  CHECK(f.refused("made_room") >= 300);
  CHECK(f.refused("connections") == 0);
  int open = 0;
  for (auto& s : slow) open += s.is_closed(0ms) ? 0 : 1;
  CHECK(open <= 500);
}

TEST_CASE("connections beyond the limit are refused while all are at work", "[gateway]") {
  fixture f;
  f.options.limits.connections = 2;
  f.detect.keep = true;
  f.open();
  client a{f.port};
  client b{f.port};
  a.send(post_of(jpeg_of(2, 2)));
  auto first = f.detect.take();
  b.send(post_of(jpeg_of(2, 2)));
  auto second = f.detect.take();
  client c{f.port};
  CHECK(c.read_reply().status == 503);
  CHECK(c.is_closed());
  CHECK(f.refused("connections") == 1);
  first.done(fake_detect::answer_to(first.request));
  CHECK(a.read_reply().status == 200);
  a.close();
  CHECK(eventually([&] { return ask(f.port, "GET", "/healthz").status == 200; }));
  second.done(fake_detect::answer_to(second.request));
}

TEST_CASE("one address cannot take every connection, if that is limited", "[gateway]") {
  fixture f;
  f.options.limits.connections_per_address = 1;
  f.open();
  client a{f.port};
  a.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(a.read_reply().status == 200);
  CHECK(client{f.port}.read_reply().status == 503);
}

TEST_CASE("bodies in memory are bounded all together", "[gateway]") {
  fixture f;
  f.options.limits.buffered_bytes = 150'000;
  f.open();
  client a{f.port};
  a.send(keep_alive_detect + "Content-Length: 140000\r\n\r\n" + std::string(139'000, 'x'));
  int refused = 0;
  CHECK(eventually([&] {
    refused += ask(f.port, "POST", "/v1/detect", std::string(139'000, 'y')).status == 503 ? 1 : 0;
    return refused > 0;
  }));
  a.send(std::string(1000, 'x'));
  CHECK(a.read_reply().status == 415); // was read whole
  CHECK(f.refused("buffered_bytes") == refused);
}

TEST_CASE("a body counts as being in memory until its request is answered", "[gateway]") {
  fixture f;
  f.options.limits.buffered_bytes = 150'000;
  f.detect.keep = true;
  f.open();
  const auto picture = jpeg_of(4, 4) + std::string(100'000, 'x');
  client a{f.port};
  a.send(post_of(picture));
  auto kept = f.detect.take();
  CHECK(ask(f.port, "POST", "/v1/detect", picture).status == 503);
  kept.done(fake_detect::answer_to(kept.request));
  CHECK(a.read_reply().status == 200);
  f.detect.keep = false;
  CHECK(eventually([&] { return ask(f.port, "POST", "/v1/detect", picture).status == 200; }));
}

TEST_CASE("a client that reads nothing is given up", "[gateway]") {
  strict_fixture f;
  f.options.timeouts.write = 100ms;
  f.open();
  client c{f.port};
  c.send("GET /v1/jobs/job-1/results HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  for (int i = 0; i < 100; ++i) f.jobs.lines->give(std::string(std::size_t{1} << 20U, 'x'));
  CHECK(eventually([&] { return f.refused("write_time") == 1; }));
  CHECK(eventually([&] { return !f.jobs.lines->alive; }));
}
