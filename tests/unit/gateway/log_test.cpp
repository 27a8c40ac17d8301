#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

#include "tests/unit/gateway/fake_api.hpp"

using namespace penstock;
using namespace penstock::test;
using namespace std::string_literals;

TEST_CASE("logs name requests and callers, and never tokens", "[gateway]") {
  const auto before = spdlog::default_logger();
  std::ostringstream log;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  spdlog::set_level(spdlog::level::trace);
  {
    fixture f;
    // SHA-256 of "abc"
    f.options.tokens = {
        {"ann", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", {gateway::scope::detect}}};
    f.open();
    CHECK(ask(f.port, "POST", "/v1/detect?token=secret-1", jpeg_of(2, 2),
              {"Authorization: Bearer abc", "X-Request-Id: r-1"})
              .status == 200);
    CHECK(ask(f.port, "POST", "/v1/detect", jpeg_of(2, 2), {"Authorization: Bearer secret-2", "X-Request-Id: a b"})
              .status == 401);
    CHECK(ask(f.port, "GET", "/\x1b[31mred").status != 200);
    CHECK(ask(f.port, "GET", "/caf\xc3\xa9").status == 404);
    f.server.reset();
  }
  spdlog::set_default_logger(before);
  const auto text = log.str();
  INFO(text);
  CHECK(text.find("request r-1: POST /v1/detect from 127.0.0.1 (ann): 200") != std::string::npos);
  CHECK(text.find("401") != std::string::npos);
  CHECK(text.find("/caf??") != std::string::npos);
  for (const auto* never : {"secret", "abc", "a b", "\x1b", "ba7816bf"}) CHECK(text.find(never) == std::string::npos);
}
