#include <nlohmann/json.hpp>
#include <set>

#include "tests/unit/gateway/fake_api.hpp"
#include "tests/unit/gateway/fake_parts.hpp"
#include "tests/unit/gateway/schema.hpp"

using namespace penstock;
using namespace penstock::test;
using namespace std::chrono_literals;
using namespace std::string_literals;
using nlohmann::json;

namespace {

struct whole_fixture : fixture {
  whole_fixture() {
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

gateway::event result_of(const std::string& stream, const std::string& label, int number) {
  return {"result", stream, {label}, "{\"n\":" + std::to_string(number) + "}"};
}

} // namespace

TEST_CASE("an upload reaches its sink whole and in order, and becomes a job", "[gateway]") {
  whole_fixture f;
  f.open();
  std::string body = transport_stream(4000);
  for (std::size_t i = 0; i < body.size(); i += 188) body[i + 1] = static_cast<char>(i / 188);
  const auto r = ask(f.port, "POST", "/v1/jobs", body, {"Idempotency-Key: k1", "Penstock-Name: my%20clip.ts"});
  REQUIRE(r.status == 202);
  CHECK(r.get("Location") == "/v1/jobs/job-1");
  CHECK(json::parse(r.body)["state"] == "queued");
  CHECK(f.jobs.stored.at("job-1") == body);
  CHECK(f.jobs.requests.at(0).content_type == "video/mp2t");
  CHECK(f.jobs.requests.at(0).name == "my clip.ts");
  CHECK(f.jobs.requests.at(0).size_bytes == body.size());
}

TEST_CASE("a small file is stored although it ends before all that is sniffed", "[gateway]") {
  whole_fixture f;
  f.open();
  CHECK(ask(f.port, "POST", "/v1/jobs", png_of(3, 3)).status == 202);
  CHECK(f.jobs.stored.at("job-1") == png_of(3, 3));
}

TEST_CASE("a repeated key gives the first job, and the body is not read again", "[gateway]") {
  whole_fixture f;
  f.open();
  REQUIRE(ask(f.port, "POST", "/v1/jobs", png_of(3, 3), {"Idempotency-Key: k"}).status == 202);
  client c{f.port};
  c.send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 1000000000\r\n\r\n" +
         transport_stream(3));
  const auto r = c.read_reply();
  CHECK(r.status == 200);
  CHECK(json::parse(r.body)["id"] == "job-1");
  CHECK(r.get("Connection") == "close");
}

TEST_CASE("an upload is read no faster than its sink takes it", "[gateway]") {
  whole_fixture f;
  f.jobs.hold_writes = true;
  f.open();
  client c{f.port};
  const std::size_t size = std::size_t{64} << 20U;
  c.send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
         transport_stream(3));
  REQUIRE(eventually([&] { return f.jobs.held() == 1; }));
  // The client sends until nothing goes any more: what the two sockets hold, far less than the body.
  const std::string piece(65536, 'x');
  std::size_t sent = 564;
  int stuck = 0;
  while (sent < size && stuck < 1000) {
    const auto n = c.send_some(std::string_view{piece}.substr(0, std::min(piece.size(), size - sent)));
    stuck = n == 0 ? stuck + 1 : 0;
    sent += n;
    if (n == 0) std::this_thread::yield();
  }
  CHECK(sent < size / 2);
  CHECK(f.jobs.held() == 1); // one piece, and no second before the first is done
  std::thread sink{[&] {
    while (!f.jobs.committed) f.jobs.release();
  }};
  while (sent < size) {
    const auto n = std::min(piece.size(), size - sent);
    REQUIRE(c.send(std::string_view{piece}.substr(0, n)));
    sent += n;
  }
  CHECK(c.read_reply().status == 202);
  sink.join();
  CHECK(f.jobs.stored.at("job-1").size() == size);
}

TEST_CASE("an upload that breaks off leaves nothing", "[gateway]") {
  whole_fixture f;
  f.open();
  client c{f.port};
  c.send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + transport_stream(100));
  REQUIRE(eventually([&] { return f.jobs.sinks == 1; }));
  c.close();
  CHECK(eventually([&] { return f.jobs.sinks == 0; }));
  CHECK_FALSE(f.jobs.committed);
}

TEST_CASE("an upload that goes away while its sink is slow is called off", "[gateway]") {
  whole_fixture f;
  f.jobs.hold_writes = true;
  f.open();
  client c{f.port};
  c.send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + transport_stream(100));
  REQUIRE(eventually([&] { return f.jobs.held() == 1; }));
  c.close();
  CHECK(eventually([&] { return f.jobs.gone().stop_requested(); }));
  f.jobs.release();
  CHECK(eventually([&] { return f.jobs.sinks == 0; }));
}

TEST_CASE("a sink that fails ends the upload with its reason", "[gateway]") {
  whole_fixture f;
  f.jobs.fail_writes = true;
  f.open();
  client c{f.port};
  c.send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + transport_stream(100));
  const auto r = c.read_reply();
  CHECK(r.status == 503);
  CHECK(r.body.find("store is away") != std::string::npos);
}

TEST_CASE("what cannot be a job is refused before anything is stored", "[gateway]") {
  whole_fixture f;
  f.open();
  CHECK(ask(f.port, "POST", "/v1/jobs", std::string(1000, 'x')).status == 415);
  CHECK(ask(f.port, "POST", "/v1/jobs", "").status == 400);
  CHECK(ask(f.port, "POST", "/v1/jobs", png_of(50'000, 50'000)).status == 422);
  CHECK(ask(f.port, "POST", "/v1/jobs", "x", {"Content-Type: multipart/form-data; boundary=x"}).status == 415);
  CHECK(ask(f.port, "POST", "/v1/jobs", png_of(3, 3), {"Idempotency-Key: " + std::string(256, 'k')}).status == 400);
  CHECK(ask(f.port, "POST", "/v1/jobs", png_of(3, 3), {"Penstock-Name: a%0ab"}).status == 202); // a name that is none
  const auto json_body = [&](const std::string& body) {
    return ask(f.port, "POST", "/v1/jobs", body, {"Content-Type: application/json"}).status;
  };
  CHECK(json_body("{}") == 400);
  CHECK(json_body("[") == 400);
  CHECK(json_body(R"({"uri": 5})") == 400);
  CHECK(json_body(R"({"uri": "a b"})") == 400);
  CHECK(json_body(R"({"uri": ")" + std::string(70'000, 'a') + "\"}") == 413);
  CHECK(f.jobs.sinks == 0);
  CHECK(json_body(R"({"uri": "blob:clip.mp4", "name": "clip"})") == 202);
  CHECK(f.jobs.requests.back().uri == "blob:clip.mp4");
}

TEST_CASE("jobs are listed, seen, cancelled and queued again", "[gateway]") {
  whole_fixture f;
  f.open();
  REQUIRE(ask(f.port, "POST", "/v1/jobs", png_of(3, 3)).status == 202);
  CHECK(json::parse(ask(f.port, "GET", "/v1/jobs?state=queued&limit=5").body)["jobs"].size() == 1);
  CHECK(json::parse(ask(f.port, "GET", "/v1/jobs?state=dead").body)["jobs"].empty());
  CHECK(ask(f.port, "GET", "/v1/jobs?state=sleeping").status == 400);
  CHECK(ask(f.port, "GET", "/v1/jobs?limit=0").status == 400);
  CHECK(ask(f.port, "GET", "/v1/jobs?after=../x").status == 400);
  CHECK(json::parse(ask(f.port, "GET", "/v1/jobs/job-1").body)["id"] == "job-1");
  CHECK(ask(f.port, "GET", "/v1/jobs/other").status == 404);
  CHECK(ask(f.port, "DELETE", "/v1/jobs/job-1").status == 204);
  CHECK(ask(f.port, "DELETE", "/v1/jobs/job-1").status == 409);
  CHECK(ask(f.port, "DELETE", "/v1/jobs/other").status == 404);
  CHECK(ask(f.port, "POST", "/v1/jobs/job-1/requeue").status == 202);
  CHECK(ask(f.port, "POST", "/v1/jobs/job-1/requeue").status == 409);
}

TEST_CASE("results are read while the job makes them", "[gateway]") {
  whole_fixture f;
  f.open();
  client c{f.port};
  c.send("GET /v1/jobs/job-1/results HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(c.read_head().get("Content-Type") == "application/jsonl");
  for (int i = 0; i < 3; ++i) {
    const auto line = "{\"seq\":" + std::to_string(i) + "}\n";
    f.jobs.lines->give(line);
    CHECK(c.read_chunk() == line);
  }
  f.jobs.lines->give("");
  CHECK_FALSE(c.read_chunk().has_value());
  c.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); // the connection goes on
  CHECK(c.read_reply().status == 200);
  CHECK(eventually([&] { return !f.jobs.lines->alive; }));
}

TEST_CASE("a reader of results who goes away frees their source", "[gateway]") {
  whole_fixture f;
  f.open();
  client c{f.port};
  c.send("GET /v1/jobs/job-1/results HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  REQUIRE(f.jobs.lines->alive);
  c.close();
  CHECK(eventually([&] { return !f.jobs.lines->alive; }));
}

TEST_CASE("a slow reader is not asked for, and holds one piece", "[gateway]") {
  whole_fixture f;
  f.open();
  client c{f.port};
  c.send("GET /v1/jobs/job-1/results HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  const std::string piece(std::size_t{1} << 20U, 'x');
  for (int i = 0; i < 200; ++i) f.jobs.lines->give(piece);
  f.jobs.lines->give("");
  int before = -1;
  CHECK(eventually([&] { // what the sockets hold is sent, then it stops
    std::this_thread::yield();
    const int asked = f.jobs.lines->times_asked;
    const bool stopped = asked == before && asked > 1;
    before = asked;
    return stopped;
  }));
  CHECK(f.jobs.lines->times_asked < 100);
  std::size_t got = 0;
  while (auto chunk = c.read_chunk()) got += chunk->size();
  CHECK(got == 200 * piece.size());
}

TEST_CASE("streams are listed, added and removed", "[gateway]") {
  whole_fixture f;
  f.open();
  CHECK(json::parse(ask(f.port, "GET", "/v1/streams").body)["streams"][0]["id"] == "door");
  const auto add = [&](const std::string& body) { return ask(f.port, "POST", "/v1/streams", body); };
  const auto r = add(R"({"id": "yard", "uri": "rtsp://10.0.0.9/main", "policy": "live"})");
  CHECK(r.status == 201);
  CHECK(r.get("Location") == "/v1/streams/yard");
  CHECK(add(R"({"id": "yard", "uri": "rtsp://10.0.0.9/main"})").status == 409);
  for (const auto* bad : {"", "[]", "{}", R"({"id": "../x", "uri": "a"})", R"({"id": "x"})", R"({"id": "x", "uri": 1})",
                          R"({"id": "x", "uri": "a", "policy": "fast"})"}) {
    INFO(bad);
    CHECK(add(bad).status == 400);
  }
  CHECK(add("{\"id\": \"x\", \"uri\": \"" + std::string(70'000, 'a') + "\"}").status == 413);
  CHECK(ask(f.port, "DELETE", "/v1/streams/yard").status == 204);
  CHECK(ask(f.port, "DELETE", "/v1/streams/door").status == 409);
  CHECK(ask(f.port, "DELETE", "/v1/streams/other").status == 404);
}

TEST_CASE("a snapshot is a picture, and none yet is 503", "[gateway]") {
  whole_fixture f;
  f.open();
  const auto r = ask(f.port, "GET", "/v1/streams/door/snapshot.jpg");
  CHECK(r.get("Content-Type") == "image/jpeg");
  CHECK(r.body == "a picture");
  CHECK(ask(f.port, "GET", "/v1/streams/yard/snapshot.jpg").status == 503);
  CHECK(ask(f.port, "GET", "/v1/streams/..%2f..%2fetc/snapshot.jpg").status == 400);
}

TEST_CASE("a preview sends pictures as parts, and its source lives while somebody watches", "[gateway]") {
  whole_fixture f;
  f.options.preview.viewers = 1;
  f.options.preview.fps = 1000;
  f.open();
  client c{f.port};
  c.send("GET /v1/streams/door/preview.mjpeg HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(c.read_head().get("Content-Type") == "multipart/x-mixed-replace; boundary=frame");
  for (const auto* picture : {"one", "two"}) {
    f.streams.pictures->give(picture);
    CHECK(c.read_chunk() == "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\n"s + picture + "\r\n");
  }
  CHECK(ask(f.port, "GET", "/v1/streams/door/preview.mjpeg").status == 503);
  CHECK(f.figure("penstock_http_preview_viewers") == 1);
  c.close();
  CHECK(eventually([&] { return !f.streams.pictures->alive && f.figure("penstock_http_preview_viewers") == 0; }));
}

TEST_CASE("a preview asks for pictures no faster than its rate", "[gateway]") {
  whole_fixture f;
  f.options.preview.fps = 20;
  f.open();
  for (int i = 0; i < 5; ++i) f.streams.pictures->give("x");
  f.streams.pictures->give("");
  const auto began = std::chrono::steady_clock::now();
  CHECK(ask(f.port, "GET", "/v1/streams/door/preview.mjpeg").body.size() > 5);
  CHECK(std::chrono::steady_clock::now() - began >= 250ms);
}

TEST_CASE("events are streamed as they come, filtered by stream and label", "[gateway]") {
  whole_fixture f;
  f.open();
  client c{f.port};
  c.send("GET /v1/events?stream=door&label=dog,cat HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(c.read_head().get("Content-Type") == "text/event-stream");
  CHECK(c.read_chunk() == ": hello\n\n");
  REQUIRE(f.events.wanted());
  f.events.publish(result_of("yard", "dog", 1));
  f.events.publish(result_of("door", "car", 2));
  f.events.publish(result_of("door", "cat", 3));
  CHECK(c.read_chunk() == "event: result\ndata: {\"n\":3}\n\n");
  f.events.publish({"result", "door", {"dog"}, "{\"n\":\r\n4}"}); // never two lines
  CHECK(c.read_chunk() == "event: result\ndata: {\"n\":4}\n\n");
  c.close();
  CHECK(eventually([&] {
    f.events.publish({"worker", "", {}, "{}"});
    return !f.events.wanted();
  }));
}

TEST_CASE("a quiet event stream shows that it lives", "[gateway]") {
  whole_fixture f;
  f.options.events.keep_alive = 10ms;
  f.open();
  client c{f.port};
  c.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  CHECK(c.read_chunk() == ": hello\n\n");
  CHECK(c.read_chunk() == ": still here\n\n");
  CHECK(c.read_chunk() == ": still here\n\n");
}

TEST_CASE("a slow reader loses the oldest events and is told how many", "[gateway]") {
  whole_fixture f;
  f.options.events.queue = 10;
  f.open();
  client c{f.port};
  c.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  c.read_chunk();
  const std::string padding(100'000, 'x');
  const int published = 500; // 50 MB: more than the sockets hold
  for (int i = 0; i < published; ++i) {
    f.events.publish({"result", "door", {}, "{\"n\":" + std::to_string(i) + ",\"p\":\"" + padding + "\"}"});
  }
  int seen = 0;
  int lost = 0;
  int last = -1;
  while (seen + lost < published) {
    const auto text = c.read_until("\n\n");
    REQUIRE_FALSE(text.empty());
    const auto data = text.find("data: ");
    REQUIRE(data != std::string::npos);
    const auto end = text.find('\n', data);
    // Chunk sizes may stand within the text; only the numbers are looked at.
    const auto number = std::stoi(text.substr(text.find(':', data + 6) + 1, end));
    if (text.find("event: lost") != std::string::npos) {
      lost += number;
    } else {
      CHECK(number > last);
      last = number;
      ++seen;
    }
  }
  CHECK(seen >= 10);
  CHECK(lost > 100);
  CHECK(last == published - 1);
  CHECK(f.figure("penstock_http_lost_events_total") == lost);
  CHECK(f.events.lost() == static_cast<std::uint64_t>(lost));
}

TEST_CASE("events come over a WebSocket, too", "[gateway]") {
  whole_fixture f;
  f.open();
  const auto shake = [](const std::string& more = {}) {
    return "GET /v1/events?kind=result HTTP/1.1\r\nHost: door\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + more +
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  };
  client c{f.port};
  c.send(shake());
  const auto head = c.read_head();
  REQUIRE(head.status == 101);
  CHECK(head.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(c.read_bytes(19) == "\x81\x11{\"event\":\"hello\"}");
  f.events.publish({"worker", "", {}, "{}"});
  f.events.publish(result_of("door", "cat", 3));
  const auto text = R"({"event":"result","data":{"n":3}})"s;
  CHECK(c.read_bytes(text.size() + 2) == "\x81" + std::string(1, static_cast<char>(text.size())) + text);
  c.send("\x89\x84\0\0\0\0ping"s);
  CHECK(c.read_bytes(6) == "\x8a\x04ping");
  c.send("\x88\x82\0\0\0\0\x03\xe8"s);
  CHECK(c.read_bytes(4) == "\x88\x02\x03\xe8"s);
  CHECK(c.is_closed());
  CHECK(eventually([&] { return f.figure("penstock_http_event_readers") == 0; }));

  client evil{f.port};
  evil.send(shake("Origin: https://evil.example\r\n"));
  CHECK(evil.read_reply().status == 403);
  CHECK(ask(f.port, "GET", "/v1/events", "", {"Upgrade: websocket", "Sec-WebSocket-Version: 8"}).status == 426);
}

TEST_CASE("a WebSocket whose client breaks the protocol, or leaves, is closed", "[gateway]") {
  whole_fixture f;
  f.open();
  const auto shake = "GET /v1/events HTTP/1.1\r\nHost: door\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"s;
  client bad{f.port};
  bad.send(shake);
  CHECK(bad.read_until("hello\"}").size() > 5);
  bad.send("\x81\x01x"); // not masked
  CHECK(bad.read_bytes(4) == "\x88\x0c\x03\xea"s);
  CHECK(bad.is_closed());
  client leaving{f.port};
  leaving.send(shake);
  CHECK(leaving.read_until("hello\"}").size() > 5);
  leaving.close();
  CHECK(eventually([&] { return f.figure("penstock_http_event_readers") == 0; }));
  client staying{f.port};
  staying.send(shake);
  CHECK(staying.read_until("hello\"}").size() > 5);
  f.server.reset();
  CHECK(staying.is_closed());
}

TEST_CASE("readers of events beyond the bound are refused", "[gateway]") {
  whole_fixture f;
  f.options.events.readers = 1;
  f.open();
  client c{f.port};
  c.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  CHECK(ask(f.port, "GET", "/v1/events").status == 503);
  CHECK(f.refused("readers") == 1);
}

TEST_CASE("draining ends event streams", "[gateway]") {
  whole_fixture f;
  f.open();
  client c{f.port};
  c.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  c.read_chunk();
  std::thread draining{[&] { f.server->drain(20s); }};
  CHECK_FALSE(c.read_chunk().has_value());
  c.close();
  draining.join();
}

TEST_CASE("draining lets results come to their end, and cuts them off where that takes long", "[gateway]") {
  whole_fixture f;
  f.open();
  const auto ends = GENERATE(true, false);
  client c{f.port};
  c.send("GET /v1/jobs/job-1/results HTTP/1.1\r\nHost: x\r\n\r\n");
  c.read_head();
  client events{f.port}; // tells when draining has begun
  events.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  events.read_head();
  events.read_chunk();
  std::thread draining{[&] { f.server->drain(20s); }};
  CHECK_FALSE(events.read_chunk().has_value());
  events.close();
  f.jobs.lines->give("{}\n");
  CHECK(c.read_chunk() == "{}\n");
  if (ends) {
    f.jobs.lines->give("");
    CHECK(c.read_until("\r\n\r\n") == "0\r\n\r\n");
  } else {
    CHECK(c.read().empty()); // not even the last chunk
    CHECK(c.is_closed());
  }
  c.close();
  draining.join();
}

TEST_CASE("targets are what Prometheus discovers over HTTP, the door under the name by which it was found",
          "[gateway]") {
  whole_fixture f;
  f.open();
  client c{f.port};
  c.send("GET /v1/targets HTTP/1.1\r\nHost: head.example:8080\r\n\r\n");
  const auto r = c.read_reply();
  CHECK(r.status == 200);
  CHECK(r.get("Content-Type") == "application/json");
  CHECK(json::parse(r.body) == json::parse(R"([{"targets": ["head.example:8080"], "labels": {"role": "head"}},
                        {"targets": ["10.0.0.9:9100"], "labels": {"name": "w \"1\"", "role": "worker"}}])"));
}

TEST_CASE("who may not see streams sees no targets", "[gateway]") {
  whole_fixture f;
  f.options.tokens = {{"ann", std::string(64, 'a'), {gateway::scope::detect}}};
  f.open();
  CHECK(ask(f.port, "GET", "/v1/targets").status == 401);
}

TEST_CASE("a worker is drained by its name, by those alone who may do everything", "[gateway]") {
  whole_fixture f;
  f.open();
  CHECK(ask(f.port, "POST", "/v1/workers/nobody/drain").status == 404);
  CHECK(f.node.drained.empty());
  CHECK(ask(f.port, "POST", "/v1/workers/w1/drain").status == 202);
  CHECK(f.node.drained == "w1");
  whole_fixture guarded;
  guarded.options.tokens = {{"ann", std::string(64, 'a'), {gateway::scope::streams}}};
  guarded.open();
  CHECK(ask(guarded.port, "POST", "/v1/workers/w1/drain").status == 401);
}

TEST_CASE("all of the interface that is not attached says what the topology lacks", "[gateway]") {
  fixture f;
  f.has_detect = false;
  f.open();
  const auto document = json::parse(ask(f.port, "GET", "/v1/openapi.json").body);
  int missing = 0;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      if (!operation["responses"].contains("501")) continue;
      auto target = path;
      if (const auto brace = target.find('{'); brace != std::string::npos)
        target.replace(brace, target.find('}') - brace + 1, "x");
      auto upper = method;
      for (auto& ch : upper) ch = static_cast<char>(ch - 'a' + 'A');
      const auto r = ask(f.port, upper, target);
      INFO(upper << " " << target);
      CHECK(r.status == 501);
      CHECK(r.body.find("topology") != std::string::npos);
      ++missing;
    }
  }
  CHECK(missing == 14);
}

TEST_CASE("the OpenAPI document is whole", "[gateway]") {
  whole_fixture f;
  f.options.tokens = {{"ann", std::string(64, 'a'), {gateway::scope::detect}}};
  f.open();
  const auto r = ask(f.port, "GET", "/v1/openapi.json");
  REQUIRE(r.status == 200);
  const auto document = json::parse(r.body);
  CHECK(document["openapi"] == "3.1.0");
  std::set<std::string> operations;
  std::set<std::string> used;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      INFO(method << " " << path);
      CHECK(operations.insert(operation.at("operationId")).second);
      CHECK_FALSE(operation.at("summary").get<std::string>().empty());
      std::set<std::string> in_path;
      for (const auto& p : operation.value("parameters", json::array())) {
        if (p.at("in") == "path") in_path.insert(p.at("name"));
        CHECK(p.at("schema").contains("type"));
      }
      CHECK(in_path == names_in_braces(path));
      CHECK_FALSE(operation.at("responses").empty());
      for (const auto& [status, reply] : operation.at("responses").items()) {
        CHECK(status.size() == 3);
        CHECK_FALSE(reply.at("description").get<std::string>().empty());
      }
    }
  }
  for (const auto& reference : references_in(document)) {
    CHECK(reference.starts_with("#/"));
    CHECK(document.contains(json::json_pointer{reference.substr(1)}));
    used.insert(reference);
  }
  for (const auto& [name, schema] : document["components"]["schemas"].items()) {
    INFO(name);
    CHECK(used.contains("#/components/schemas/" + name));
  }
}

TEST_CASE("replies are as the OpenAPI document says", "[gateway]") {
  whole_fixture f;
  f.open();
  REQUIRE(ask(f.port, "POST", "/v1/jobs", png_of(3, 3)).status == 202);
  const auto document = json::parse(ask(f.port, "GET", "/v1/openapi.json").body);
  const auto check = [&](const std::string& method, const std::string& pattern, const std::string& target,
                         const std::string& body, const std::vector<std::string>& headers = {}) {
    const auto r = ask(f.port, method, target, body, headers);
    auto lower = method;
    for (auto& c : lower) c = static_cast<char>(c - 'A' + 'a');
    INFO(method << " " << target << ": " << r.status << " " << r.body);
    const auto& replies = document.at("paths").at(pattern).at(lower).at("responses");
    REQUIRE(replies.contains(std::to_string(r.status)));
    const auto& reply = replies.at(std::to_string(r.status));
    CHECK(r.body.empty() != reply.contains("content"));
    if (r.body.empty()) return;
    const auto& content = reply.at("content").at(r.get("Content-Type"));
    if (content.contains("schema")) CHECK(fault_of(json::parse(r.body), content.at("schema"), document) == "");
  };
  check("POST", "/v1/detect", "/v1/detect", png_of(3, 3));
  check("POST", "/v1/detect", "/v1/detect", "no picture");
  check("POST", "/v1/detect", "/v1/detect", png_of(60'000, 60'000));
  check("POST", "/v1/jobs", "/v1/jobs", png_of(3, 3));
  check("POST", "/v1/jobs", "/v1/jobs", "no video");
  check("GET", "/v1/jobs", "/v1/jobs", "");
  check("GET", "/v1/jobs", "/v1/jobs?state=no", "");
  check("GET", "/v1/jobs/{id}", "/v1/jobs/job-1", "");
  check("GET", "/v1/jobs/{id}", "/v1/jobs/none", "");
  check("DELETE", "/v1/jobs/{id}", "/v1/jobs/job-1", "");
  check("DELETE", "/v1/jobs/{id}", "/v1/jobs/job-1", "");
  check("POST", "/v1/jobs/{id}/requeue", "/v1/jobs/job-1/requeue", "");
  check("GET", "/v1/streams", "/v1/streams", "");
  check("POST", "/v1/streams", "/v1/streams", R"({"id": "a", "uri": "b"})");
  check("POST", "/v1/streams", "/v1/streams", R"({"id": "a", "uri": "b"})");
  check("DELETE", "/v1/streams/{id}", "/v1/streams/a", "");
  check("GET", "/v1/streams/{id}/snapshot.jpg", "/v1/streams/door/snapshot.jpg", "");
  check("GET", "/v1/streams/{id}/snapshot.jpg", "/v1/streams/yard/snapshot.jpg", "");
  check("GET", "/v1/state", "/v1/state", "");
  check("GET", "/v1/targets", "/v1/targets", "");
  check("GET", "/healthz", "/healthz", "", {"Accept: application/json"});
  check("GET", "/healthz/rich", "/healthz/rich", "");
  check("POST", "/v1/workers/{name}/drain", "/v1/workers/w1/drain", "");
  check("POST", "/v1/workers/{name}/drain", "/v1/workers/nobody/drain", "");
  check("POST", "/v1/drain", "/v1/drain", "");
}
