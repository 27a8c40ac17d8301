#include <nlohmann/json.hpp>

#include "tests/unit/gateway/fake_api.hpp"

using namespace penstock;
using namespace penstock::test;
using namespace std::chrono_literals;
using namespace std::string_literals;
using gateway::scope;
using nlohmann::json;

namespace {

/// SHA-256 of "abc" and of "".
const std::string digest_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

} // namespace

TEST_CASE("a picture's objects come in the request", "[gateway]") {
  fixture f;
  f.open();
  const auto r = ask(f.port, "POST", "/v1/detect", jpeg_of(640, 360), {"X-Request-Id: mine"});
  REQUIRE(r.status == 200);
  CHECK(r.get("Content-Type") == "application/json");
  CHECK(r.get("X-Request-Id") == "mine");
  const auto body = json::parse(r.body);
  CHECK(body["width"] == 640);
  CHECK(body["objects"][0]["label"] == "dog");
  CHECK(body["objects"][0]["box"] == json{0, 0, 640, 360});
  CHECK(body["request"] == "mine");
  const auto counted = R"(penstock_http_requests_total{method="POST",route="/v1/detect",status="200"})";
  CHECK(eventually([&] { return f.figure(counted) == 1; }));
}

TEST_CASE("detections come as MessagePack or as the picture with boxes, if they are wanted so", "[gateway]") {
  fixture f;
  f.open();
  const auto packed = ask(f.port, "POST", "/v1/detect", png_of(8, 4), {"Accept: application/msgpack"});
  CHECK(packed.get("Content-Type") == "application/msgpack");
  CHECK(json::from_msgpack(packed.body)["height"] == 4);
  const auto drawn = ask(f.port, "POST", "/v1/detect?annotate=true", png_of(8, 4));
  CHECK(drawn.get("Content-Type") == "image/jpeg");
  CHECK(drawn.body == "annotated image/png");
}

TEST_CASE("a picture may come in a form", "[gateway]") {
  fixture f;
  f.open();
  const auto body = "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--x\r\nContent-Disposition: "
                    "form-data; name=\"image\"; filename=\"../../etc/passwd\"\r\n\r\n"s +
                    jpeg_of(20, 10) + "\r\n--x--\r\n";
  const auto r = ask(f.port, "POST", "/v1/detect", body, {"Content-Type: multipart/form-data; boundary=x"});
  REQUIRE(r.status == 200);
  CHECK(json::parse(r.body)["width"] == 20);
  CHECK(ask(f.port, "POST", "/v1/detect", body, {"Content-Type: multipart/form-data"}).status == 400);
  CHECK(ask(f.port, "POST", "/v1/detect", "--x\r\n\r\nno\r\n--x--", {"Content-Type: multipart/form-data; boundary=x"})
            .status == 415);
}

TEST_CASE("requests follow each other on one connection, also when they come at once", "[gateway]") {
  fixture f;
  f.open();
  client c{f.port};
  std::string all;
  for (int i = 1; i <= 20; ++i)
    all += post_of(jpeg_of(static_cast<std::uint32_t>(i), 2), "X-Request-Id: r" + std::to_string(i) + "\r\n");
  c.send(all);
  for (int i = 1; i <= 20; ++i) {
    const auto r = c.read_reply();
    REQUIRE(r.status == 200);
    CHECK(r.get("X-Request-Id") == "r" + std::to_string(i));
    CHECK(json::parse(r.body)["width"] == i);
  }
  c.send("GET /healthz HTTP/1.0\r\n\r\n");
  CHECK(c.read_reply().body == "healthy\n");
  CHECK(c.is_closed());
}

TEST_CASE("a chunked body is as good as another", "[gateway]") {
  fixture f;
  f.open();
  client c{f.port};
  const auto picture = jpeg_of(30, 20);
  c.send(keep_alive_detect + "Transfer-Encoding: chunked\r\n\r\n");
  for (const char byte : picture) c.send("1\r\n"s + byte + "\r\n");
  c.send("0\r\n\r\n");
  CHECK(json::parse(c.read_reply().body)["width"] == 30);
  c.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(c.read_reply().status == 200);
}

TEST_CASE("a client that asks first is told to go on, or why not", "[gateway]") {
  fixture f;
  f.open();
  client c{f.port};
  const auto picture = jpeg_of(30, 20);
  c.send(keep_alive_detect + "Expect: 100-continue\r\nContent-Length: " + std::to_string(picture.size()) + "\r\n\r\n");
  CHECK(c.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  c.send(picture);
  CHECK(c.read_reply().status == 200);
  c.send(keep_alive_detect + "Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n");
  CHECK(c.read_reply().status == 413);
  CHECK(f.detect.asked == 1);
}

TEST_CASE("bodies beyond the limit are refused before they are read", "[gateway]") {
  fixture f;
  f.options.limits.image_bytes = 100'000;
  f.open();
  {
    client c{f.port};
    c.send(keep_alive_detect + "Content-Length: 100001\r\n\r\n");
    CHECK(c.read_reply().status == 413);
  }
  {
    client c{f.port};
    c.send(keep_alive_detect + "Transfer-Encoding: chunked\r\n\r\n");
    const auto chunk = "1000\r\n" + std::string(4096, 'x') + "\r\n";
    for (int i = 0; i < 1000 && c.send(chunk); ++i) {
    } // has no end
    CHECK(c.read_reply().status == 413);
  }
  CHECK(f.refused("body_bytes") == 2);
  CHECK(f.detect.asked == 0);
}

TEST_CASE("what is not a picture is refused, whatever it is called", "[gateway]") {
  fixture f;
  f.open();
  CHECK(ask(f.port, "POST", "/v1/detect", "<svg/>", {"Content-Type: image/jpeg"}).status == 415);
  CHECK(ask(f.port, "POST", "/v1/detect", "").status == 400);
  CHECK(ask(f.port, "POST", "/v1/detect", "\xff\xd8\xff\xd9"s).status == 422);
  CHECK(f.refused("media_type") == 1);
  CHECK(f.detect.asked == 0);
}

TEST_CASE("a decompression bomb is refused by its header", "[gateway]") {
  fixture f;
  f.open();
  const auto r = ask(f.port, "POST", "/v1/detect", png_of(50'000, 50'000));
  CHECK(r.status == 422);
  CHECK(json::parse(r.body)["error"]["message"].get<std::string>().find("50000 × 50000") != std::string::npos);
  CHECK(f.refused("picture") == 1);
  CHECK(f.detect.asked == 0);
}

TEST_CASE("past its deadline a request gets 504, its work is called off, and a late answer is ignored", "[gateway]") {
  fixture f;
  f.detect.keep = true;
  f.open();
  client c{f.port};
  c.send(post_of(jpeg_of(2, 2), "Penstock-Deadline-Ms: 50\r\n"));
  auto kept = f.detect.take();
  CHECK(kept.request.deadline <= core::clock::now() + 50ms);
  CHECK(c.read_reply().status == 504);
  CHECK(eventually([&] { return kept.gone.stop_requested(); }));
  kept.done(fake_detect::answer_to(kept.request));
  CHECK(f.refused("deadline") == 1);
  f.detect.keep = false;
  c.send(post_of(jpeg_of(2, 2)));
  CHECK(c.read_reply().status == 200);
  for (const auto* bad : {"0", "-1", "1.5", "soon", "99999999999999999999"}) {
    CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Penstock-Deadline-Ms: "s + bad}).status == 400);
  }
}

TEST_CASE("work is called off when its client goes away", "[gateway]") {
  fixture f;
  f.detect.keep = true;
  f.open();
  client c{f.port};
  c.send(post_of(jpeg_of(2, 2)));
  auto kept = f.detect.take();
  CHECK_FALSE(kept.gone.stop_requested());
  c.close();
  CHECK(eventually([&] { return kept.gone.stop_requested(); }));

  client two{f.port};
  two.send(post_of(jpeg_of(2, 2)) + post_of(jpeg_of(2, 2))); // the second request hides the end of the connection
  auto first = f.detect.take();
  two.close();
  CHECK(eventually([&] { return first.gone.stop_requested(); }));
}

TEST_CASE("answers come from any thread, also after the server has ended", "[gateway]") {
  fixture f;
  f.detect.keep = true;
  f.open();
  client c{f.port};
  c.send(post_of(jpeg_of(9, 2)));
  auto kept = f.detect.take();
  std::thread{[&] { kept.done(fake_detect::answer_to(kept.request)); }}.join();
  CHECK(json::parse(c.read_reply().body)["width"] == 9);
  c.send(post_of(jpeg_of(9, 2)));
  auto late = f.detect.take();
  f.server.reset();
  CHECK(late.gone.stop_requested());
  late.done(fake_detect::answer_to(late.request));
  CHECK(c.is_closed());
}

TEST_CASE("a request whose completion is forgotten gets 500", "[gateway]") {
  fixture f;
  f.detect.keep = true;
  f.open();
  client c{f.port};
  c.send(post_of(jpeg_of(2, 2)));
  f.detect.take().done = nullptr;
  CHECK(c.read_reply().status == 500);
}

TEST_CASE("errors from behind the door become statuses, and the server's own are not told", "[gateway]") {
  fixture f;
  f.detect.keep = true;
  f.open();
  client c{f.port};
  for (const auto& [code, status] : std::vector<std::pair<core::errc, int>>{{core::errc::corrupt, 422},
                                                                            {core::errc::unavailable, 503},
                                                                            {core::errc::too_large, 413},
                                                                            {core::errc::engine, 500},
                                                                            {core::errc::io, 500}}) {
    c.send(post_of(jpeg_of(2, 2)));
    f.detect.take().done(core::fail(code, "secret"));
    const auto r = c.read_reply();
    CHECK(r.status == status);
    CHECK((r.body.find("secret") == std::string::npos) == (status == 500));
  }
}

TEST_CASE("when the wait would be too long the answer is 503 at once, with the time to come again", "[gateway]") {
  fixture f;
  f.detect.keep = true;
  f.options.admission.in_flight = 2;
  f.open();
  client a{f.port};
  client b{f.port};
  a.send(post_of(jpeg_of(2, 2)));
  auto first = f.detect.take();
  b.send(post_of(jpeg_of(2, 2)));
  auto second = f.detect.take();
  const auto r = ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2));
  CHECK(r.status == 503);
  CHECK(r.get("Retry-After") == "1");
  CHECK(f.refused("overload") == 1);
  first.done(fake_detect::answer_to(first.request));
  CHECK(a.read_reply().status == 200);
  second.done(fake_detect::answer_to(second.request));
  CHECK(b.read_reply().status == 200);
  first = {};
  second = {};
  f.detect.keep = false;
  CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2)).status == 200);
}

TEST_CASE("without a token nothing but health, readiness and metrics is open", "[gateway]") {
  fixture f;
  f.options.tokens = {{"ann", digest_of_abc, {scope::detect}}};
  f.open();
  const auto no = ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2));
  CHECK(no.status == 401);
  CHECK(no.get("WWW-Authenticate").starts_with("Bearer"));
  CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Authorization: Bearer abd"}).status == 401);
  CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Authorization: Bearer abc"}).status == 200);
  CHECK(ask(f.port, "POST", "/v1/drain", "", {"Authorization: Bearer abc"}).status == 403);
  for (const auto* path : {"/healthz", "/readyz", "/metrics"}) CHECK(ask(f.port, "GET", path).status == 200);
  CHECK(f.refused("token") == 2);
  CHECK(f.refused("scope") == 1);
}

TEST_CASE("health and metrics can be closed", "[gateway]") {
  fixture f;
  f.options.tokens = {{"root", digest_of_abc, {scope::admin}}};
  f.options.open_health = false;
  f.options.open_metrics = false;
  f.open();
  for (const auto* path : {"/healthz", "/readyz", "/metrics"}) {
    CHECK(ask(f.port, "GET", path).status == 401);
    CHECK(ask(f.port, "GET", path, "", {"Authorization: Bearer abc"}).status == 200);
  }
}

TEST_CASE("health and readiness say what the node says, and draining ends readiness", "[gateway]") {
  fixture f;
  f.open();
  CHECK(ask(f.port, "GET", "/healthz").status == 200);
  CHECK(ask(f.port, "HEAD", "/readyz").status == 200);
  CHECK(ask(f.port, "GET", "/metrics").body.find("\npenstock_http_connections ") != std::string::npos);
  CHECK(ask(f.port, "POST", "/v1/drain").status == 202);
  CHECK(ask(f.port, "GET", "/readyz").status == 503);
  f.node.is_healthy = false;
  const auto r = ask(f.port, "GET", "/healthz");
  CHECK(r.status == 503);
  CHECK(r.body == "not healthy\n");
}

TEST_CASE("health is told in the form of scale sets to whoever asks for that, while it drains, too", "[gateway]") {
  fixture f;
  f.open();
  const auto both = [&](const std::string& state) {
    for (const auto& r :
         {ask(f.port, "GET", "/healthz/rich"), ask(f.port, "GET", "/healthz", "", {"Accept: application/json"})}) {
      CHECK(r.status == 200);
      CHECK(r.get("Content-Type") == "application/json");
      CHECK(r.body == "{\"ApplicationHealthState\":\"" + state + "\"}");
    }
  };
  both("Healthy");
  f.node.is_ready = false;
  both("Healthy");
  CHECK(ask(f.port, "GET", "/readyz").status == 503);
  f.node.is_healthy = false;
  both("Unhealthy");
  CHECK(ask(f.port, "GET", "/healthz").status == 503);
}

TEST_CASE("who comes too often is told when to come again", "[gateway]") {
  fixture f;
  f.options.tokens = {{"ann", digest_of_abc, {scope::detect}}, {"bob", std::string(64, 'a'), {scope::detect}}};
  f.options.rate_per_token = {0.001, 2};
  f.open();
  std::vector<int> statuses;
  reply last;
  for (int i = 0; i < 3; ++i) {
    last = ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Authorization: Bearer abc"});
    statuses.push_back(last.status);
  }
  CHECK(statuses == std::vector<int>{200, 200, 429});
  CHECK(std::stoi(last.get("Retry-After")) > 900);
  CHECK(f.refused("rate_token") == 1);
}

TEST_CASE("rates of an address hold before tokens are looked at", "[gateway]") {
  fixture f;
  f.options.tokens = {{"ann", digest_of_abc, {scope::detect}}};
  f.options.rate_per_address = {0.001, 3};
  f.open();
  std::vector<int> statuses;
  for (int i = 0; i < 5; ++i)
    statuses.push_back(ask(f.port, "POST", "/v1/detect", "x", {"Authorization: Bearer no"}).status);
  CHECK(statuses == std::vector<int>{401, 401, 401, 429, 429});
}

TEST_CASE("what the topology lacks is named with 501", "[gateway]") {
  fixture f;
  f.has_detect = false;
  f.open();
  const auto r = ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2));
  CHECK(r.status == 501);
  CHECK(json::parse(r.body)["error"]["message"].get<std::string>().find("topology") != std::string::npos);
}

TEST_CASE("unknown paths and methods are told so", "[gateway]") {
  fixture f;
  f.open();
  CHECK(ask(f.port, "GET", "/etc/passwd").status == 404);
  CHECK(ask(f.port, "GET", "/../../etc/passwd").status == 404);
  CHECK(ask(f.port, "GET", "/%2e%2e/%2e%2e/etc/passwd").status == 404);
  const auto r = ask(f.port, "GET", "/v1/detect");
  CHECK(r.status == 405);
  CHECK(r.get("Allow") == "POST");
}

TEST_CASE("pages of other sites may not change anything, but those that are listed may", "[gateway]") {
  fixture f;
  f.options.cors_origins = {"https://good.example"};
  f.open();
  CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Origin: https://evil.example"}).status == 403);
  CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Origin: null"}).status == 403);
  CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Origin: http://door"}).status == 200);
  const auto good = ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Origin: https://good.example"});
  CHECK(good.status == 200);
  CHECK(good.get("Access-Control-Allow-Origin") == "https://good.example");
  const auto asked =
      ask(f.port, "OPTIONS", "/v1/detect", "", {"Origin: https://good.example", "Access-Control-Request-Method: POST"});
  CHECK(asked.status == 204);
  CHECK(asked.get("Access-Control-Allow-Headers").find("Authorization") != std::string::npos);
  const auto no =
      ask(f.port, "OPTIONS", "/v1/detect", "", {"Origin: https://evil.example", "Access-Control-Request-Method: POST"});
  CHECK(no.get("Access-Control-Allow-Origin").empty());
}

TEST_CASE("a server that drains finishes what is under way and takes nothing new", "[gateway]") {
  fixture f;
  f.detect.keep = true;
  f.open();
  client busy{f.port};
  client idle{f.port};
  busy.send(post_of(jpeg_of(7, 2)));
  auto kept = f.detect.take();
  std::thread draining{[&] { f.server->drain(20s); }};
  CHECK(idle.is_closed());
  CHECK_FALSE(client{f.port}.connected());
  kept.done(fake_detect::answer_to(kept.request));
  const auto r = busy.read_reply();
  CHECK(r.status == 200);
  CHECK(busy.is_closed());
  busy.close();
  draining.join();
}
