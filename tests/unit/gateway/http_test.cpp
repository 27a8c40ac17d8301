#include <random>
#include <set>

#include "gateway/http/message.hpp"
#include "gateway/http/multipart.hpp"
#include "gateway/http/responder.hpp"
#include "gateway/http/route.hpp"
#include "gateway/http/sniff.hpp"
#include "gateway/http/text.hpp"
#include "gateway/http/websocket.hpp"
#include "tests/catch.hpp"
#include "tests/unit/gateway/pictures.hpp"

using namespace penstock;
using namespace penstock::gateway::http;
using namespace std::string_literals;

namespace {

std::vector<route> example_table() {
  std::vector<route> table;
  for (const auto& [method, pattern] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/"},
                                                        {"GET", "/v1/jobs"},
                                                        {"POST", "/v1/jobs"},
                                                        {"GET", "/v1/jobs/{id}"},
                                                        {"DELETE", "/v1/jobs/{id}"},
                                                        {"GET", "/v1/jobs/{id}/results"},
                                                        {"GET", "/v1/streams/{id}/snapshot.jpg"}}) {
    table.push_back({.method = method, .pattern = pattern});
  }
  return table;
}

/// A client's frame, masked.
std::string masked(int first, const std::string& payload) {
  std::string out{static_cast<char>(first), static_cast<char>(0x80U | payload.size())};
  out += "mask";
  for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ "mask"[i % 4]));
  return out;
}

} // namespace

TEST_CASE("routes are found by method and path, names taken from the path", "[gateway]") {
  const auto table = example_table();
  const auto pattern_of = [&](const char* method, const char* path) {
    const auto m = find_route(table, method, path);
    return m.found == nullptr ? std::string{} : m.found->pattern;
  };
  CHECK(pattern_of("GET", "/") == "/");
  CHECK(pattern_of("HEAD", "/v1/jobs") == "/v1/jobs");
  CHECK(pattern_of("GET", "/v1/jobs/a.b-c_9") == "/v1/jobs/{id}");
  CHECK(pattern_of("GET", "/v1/jobs/x/results") == "/v1/jobs/{id}/results");
  CHECK(find_route(table, "GET", "/v1/jobs/a%2Db/results").parameters.at("id") == "a-b");
  for (const auto* path : {"", "v1/jobs", "//", "/v1/jobs/", "/v1//jobs", "/v1/jobs/x/", "/v2/jobs"}) {
    CHECK(pattern_of("GET", path).empty());
  }
  CHECK(find_route(table, "PUT", "/v1/jobs").allowed == "GET, HEAD, POST");
  CHECK(find_route(table, "PUT", "/v1/nothing").allowed.empty());
}

TEST_CASE("no name in a path leads out of its folder", "[gateway]") {
  const auto table = example_table();
  for (const auto* name : {"..", ".", "%2e%2e", "..%2f..%2fetc", "%2fetc%2fpasswd", "a%00b", "a%0d%0ab", "%", "%zz",
                           "a%5cb", "%c0%ae", "a b"}) {
    const auto m = find_route(table, "GET", "/v1/jobs/" + std::string{name} + "/results");
    INFO(name);
    CHECK(m.found == nullptr);
    CHECK(m.bad_name);
  }
  CHECK(find_route(table, "GET", "/v1/jobs/" + std::string(129, 'a')).found == nullptr);
  CHECK(find_route(table, "GET", "/v1/jobs/" + std::string(128, 'a')).found != nullptr);
}

TEST_CASE("targets are split into path and decoded query", "[gateway]") {
  request r;
  REQUIRE(parse_target("/v1/jobs?state=done&name=a+b%26c&flag&list=a,b&list=c#part", r));
  CHECK(r.path == "/v1/jobs");
  CHECK(r.query_value("state") == "done");
  CHECK(r.query_value("name") == "a b&c");
  CHECK(r.query_flag("flag"));
  CHECK_FALSE(r.query_flag("other"));
  CHECK(r.query_list("list") == std::vector<std::string>{"a", "b", "c"});
  for (const auto* target : {"http://other/", "*", "", "/x?a=%0a", "/x?a=%4"}) CHECK_FALSE(parse_target(target, r));
}

TEST_CASE("a client's request id is kept only if it is plain", "[gateway]") {
  CHECK(request_id("abc-1.2_3", 7) == "abc-1.2_3");
  for (const auto& bad : {""s, "a b"s, "a\r\nSet-Cookie: x"s, std::string(65, 'a'), "é"s, "<script>"s}) {
    CHECK(request_id(bad, 7) == "0000000000000007");
  }
}

TEST_CASE("nothing that stands in a header can end it", "[gateway]") {
  const auto head = head_of({200, "text/plain\r\nX-Evil: 1", {}, {{"Location", "/a\r\n\r\n<html>"}}}, "id\n2", "");
  CHECK(head.find("\r\nX-Evil") == std::string::npos);
  CHECK(head.find("\r\n\r\n") == head.size() - 4);
  CHECK(head.find("X-Request-Id: id2\r\n") != std::string::npos);
}

TEST_CASE("files are known by their first bytes", "[gateway]") {
  CHECK(sniff(test::jpeg_of(1, 1)) == media_kind::jpeg);
  CHECK(sniff(test::png_of(1, 1)) == media_kind::png);
  CHECK(sniff(test::webp_lossless_of(1, 1)) == media_kind::webp);
  CHECK(sniff("\0\0\0\x18"
              "ftypmp42"s) == media_kind::mp4);
  CHECK(sniff("\x1a\x45\xdf\xa3webm"s) == media_kind::matroska);
  CHECK(sniff(test::transport_stream(3)) == media_kind::mpeg_ts);
  CHECK(sniff(test::transport_stream(2)) == media_kind::unknown); // a G at the start is nothing
  CHECK(sniff(test::transport_stream(3).substr(0, sniffed_bytes)) == media_kind::mpeg_ts);
  for (const auto& other : {""s, "GIF89a"s, "<svg"s, "RIFF1234WAVE"s, "\xff\xd8"s, "BM"s}) {
    CHECK(sniff(other) == media_kind::unknown);
  }
}

TEST_CASE("a picture's size is read from its header", "[gateway]") {
  CHECK(size_of_picture(test::jpeg_of(640, 360), media_kind::jpeg) == picture_size{640, 360});
  CHECK(size_of_picture(test::jpeg_of(65535, 1, '\xc2'), media_kind::jpeg) == picture_size{65535, 1});
  CHECK(size_of_picture(test::png_of(50'000, 50'000), media_kind::png) == picture_size{50'000, 50'000});
  CHECK(size_of_picture(test::webp_lossless_of(16384, 3), media_kind::webp) == picture_size{16384, 3});
  const auto lossy = "RIFF\x40\0\0\0WEBPVP8 \x20\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\x68\x01 "s;
  CHECK(size_of_picture(lossy, media_kind::webp) == picture_size{640, 360});
  const auto extended = "RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\x67\x01\0"s;
  CHECK(size_of_picture(extended, media_kind::webp) == picture_size{640, 360});
}

TEST_CASE("a picture that is cut anywhere is read within its bytes", "[gateway]") {
  for (const auto& [whole, kind] :
       std::vector<std::pair<std::string, media_kind>>{{test::jpeg_of(640, 360), media_kind::jpeg},
                                                       {test::png_of(640, 360), media_kind::png},
                                                       {test::webp_lossless_of(640, 360), media_kind::webp}}) {
    int failed = 0;
    for (std::size_t n = 0; n < whole.size(); ++n) {
      const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<long>(n)); // the sanitizer sees its end
      failed += size_of_picture({exact.data(), exact.size()}, kind).has_value() ? 0 : 1;
    }
    CHECK(failed > 20);
  }
  CHECK_FALSE(size_of_picture(test::png_of(0, 5), media_kind::png).has_value());
  CHECK_FALSE(size_of_picture(test::jpeg_of(5, 0), media_kind::jpeg).has_value());
  CHECK_FALSE(size_of_picture("\xff\xd8\xff\xe0\x00\x01"s, media_kind::jpeg).has_value());
  CHECK_FALSE(size_of_picture("\xff\xd8\xff\xda\x00\x02\xff\xc0"s, media_kind::jpeg).has_value());
}

TEST_CASE("a form's parts are taken apart", "[gateway]") {
  const auto body =
      "before\r\n--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"../a;\\\"b.jpg\"\r\n"
      "content-type: image/jpeg\r\n\r\nab\r\n--c\r\n\r\n--b  \r\n\r\nbare\r\n--b\r\nX: y\r\n\r\n\r\n--b--\r\nafter"s;
  const auto parts = parse_multipart(body, "b");
  REQUIRE(parts.has_value());
  REQUIRE(parts->size() == 3);
  CHECK((*parts)[0].name == "image");
  CHECK((*parts)[0].file_name == "../a;\"b.jpg");
  CHECK((*parts)[0].content_type == "image/jpeg");
  CHECK((*parts)[0].body == "ab\r\n--c\r\n");
  CHECK((*parts)[1].body == "bare");
  CHECK((*parts)[2].body.empty());
}

TEST_CASE("a broken form is an error and nothing worse", "[gateway]") {
  const auto code_of = [](const std::string& body, const std::string& boundary) {
    const auto parts = parse_multipart(body, boundary);
    return parts ? "none"s : std::string{core::to_string(parts.error().code)};
  };
  CHECK(code_of("--b--", "b") == "none");
  CHECK(code_of("", "b") == "corrupt");
  CHECK(code_of("--b", "b") == "corrupt");
  CHECK(code_of("--b\r\n", "b") == "corrupt");
  CHECK(code_of("--b\r\n\r\nno end", "b") == "corrupt");
  CHECK(code_of("--b\r\nno colon\r\n\r\nx\r\n--b--", "b") == "corrupt");
  CHECK(code_of("--b\r\n\r\nx\r\n--bx", "b") == "corrupt");
  CHECK(code_of("--b--", "") == "corrupt");
  CHECK(code_of("--b--", std::string(71, 'b')) == "corrupt");
  CHECK(code_of("--b\r\nA: " + std::string(9000, 'a') + "\r\n\r\nx\r\n--b--", "b") == "too_large");
  std::string many = "--b";
  for (int i = 0; i < 17; ++i) many += "\r\n\r\nx\r\n--b";
  CHECK(code_of(many + "--", "b") == "too_large");
}

TEST_CASE("mutated forms and pictures never read outside of their bytes", "[gateway]") {
  std::mt19937 random{42};
  const auto form = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n" +
                    test::jpeg_of(8, 8) + "\r\n--b\r\n\r\n\r\n--b--"s;
  std::size_t broken = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto body = form;
    for (auto n = random() % 4 + 1; n > 0; --n) {
      const auto at = random() % body.size();
      switch (random() % 4) {
      case 0: body[at] = static_cast<char>(random()); break;
      case 1: body.erase(at, random() % 8); break;
      case 2: body.insert(at, body.substr(random() % body.size(), random() % 16)); break;
      default: body.resize(at + 1);
      }
      if (body.empty()) body = "-";
    }
    const std::vector<char> exact(body.begin(), body.end());
    const std::string_view view{exact.data(), exact.size()};
    const auto parts = parse_multipart(view, "b");
    if (!parts) ++broken;
    for (const auto kind : {media_kind::jpeg, media_kind::png, media_kind::webp}) {
      if (const auto size = size_of_picture(view, kind)) CHECK(size->width_px > 0);
    }
    for (const auto& p : parts ? *parts : std::vector<part>{}) {
      CHECK((p.body.empty() ||
             (p.body.data() >= view.data() && p.body.data() + p.body.size() <= view.data() + view.size())));
    }
  }
  CHECK(broken > 1000);
  CHECK(broken < 20'000);
}

TEST_CASE("the WebSocket handshake is that of the standard", "[gateway]") {
  CHECK(websocket::accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 6455, 1.3
  CHECK(websocket::is_key("dGhlIHNhbXBsZSBub25jZQ=="));
  CHECK_FALSE(websocket::is_key("short"));
  CHECK_FALSE(websocket::is_key("dGhlIHNhbXBsZSBub25jZQ=\n"));
}

TEST_CASE("WebSocket frames have the bytes of the standard", "[gateway]") {
  CHECK(websocket::frame(websocket::opcode::text, "Hello") == "\x81\x05Hello"); // RFC 6455, 5.7
  CHECK(websocket::frame(websocket::opcode::text, std::string(256, 'a')).substr(0, 4) == "\x81\x7e\x01\x00"s);
  CHECK(websocket::frame(websocket::opcode::text, std::string(65536, 'a')).substr(0, 10) ==
        "\x81\x7f\0\0\0\0\0\x01\0\0"s);
  CHECK(websocket::close_frame(1001, "x") == "\x88\x03\x03\xe9x"s);
}

TEST_CASE("a WebSocket client's pings and closes are answered, its data passed over", "[gateway]") {
  websocket::decoder d;
  const auto bytes =
      masked(0x81, "data") + masked(0x01, "frag") + masked(0x89, "one") + masked(0x80, "ment") + masked(0x89, "two");
  for (const char c : bytes) d.feed({&c, 1}); // in whatever pieces
  CHECK(d.take_answer() == "\x8a\x03two");
  CHECK(d.take_answer().empty());
  CHECK_FALSE(d.finished());
  d.feed(masked(0x88, "\x03\xe8 bye"));
  CHECK(d.finished());
  CHECK(d.take_answer() == "\x88\x02\x03\xe8"s);
}

TEST_CASE("a WebSocket client that breaks the protocol is told so and heard no more", "[gateway]") {
  for (const auto& bad :
       {"\x81\x01x"s, masked(0xc1, "x"), masked(0x83, "x"), masked(0x8b, "x"), masked(0x09, "x"), masked(0x80, "x"),
        masked(0x01, "a") + masked(0x81, "b"), "\x89\xfe"s, "\x82\xff\xff"s + std::string(20, '\xff')}) {
    websocket::decoder d;
    d.feed(bad + masked(0x89, "ping"));
    CHECK(d.finished());
    CHECK(d.take_answer().starts_with("\x88"));
  }
}

TEST_CASE("an answer counts once, and a request that is dropped is answered all the same", "[gateway]") {
  int rung = 0;
  const auto x = std::make_shared<exchange>(request{}, [&] { ++rung; });
  {
    responder r{x};
    r.reply(response{204, {}, {}, {}});
    r.reply(response{500, {}, {}, {}});
  }
  CHECK(rung == 1);
  auto first = x->take();
  CHECK(std::get<response>(first).status == 204);

  const auto dropped = std::make_shared<exchange>(request{}, [] {});
  { const responder r{dropped}; }
  auto answer = dropped->take();
  CHECK(std::get<response>(answer).status == 500);
}
