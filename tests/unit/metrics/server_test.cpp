#include "metrics/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>

#include "tests/catch.hpp"

using namespace penstock;

namespace {

std::string get(std::uint16_t port, const std::string& path, const std::string& header = {}) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(fd >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const auto request = "GET " + path + " HTTP/1.0\r\n" + header + "\r\n";
  REQUIRE(::write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;) answer.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  return answer;
}

} // namespace

TEST_CASE("the server answers metrics, health and readiness, and nothing else", "[metrics]") {
  std::atomic<bool> ready{false};
  auto listening = metrics::server::listen(
      "127.0.0.1:0", {[] { return std::string{"penstock_x 1\n"}; }, [] { return true; }, [&] { return ready.load(); }});
  REQUIRE(listening.has_value());
  const auto port = (*listening)->port();
  REQUIRE(port != 0);
  CHECK(get(port, "/metrics").find("penstock_x 1\n") != std::string::npos);
  CHECK(get(port, "/healthz").starts_with("HTTP/1.1 200"));
  CHECK(get(port, "/readyz").starts_with("HTTP/1.1 503"));
  ready = true;
  CHECK(get(port, "/readyz").starts_with("HTTP/1.1 200"));
  CHECK(get(port, "/etc/passwd").starts_with("HTTP/1.1 404"));
}

TEST_CASE("health is told in the rich form to whoever asks for that, with 200 whatever it is", "[metrics]") {
  std::atomic<bool> healthy{true};
  auto listening = metrics::server::listen(
      "127.0.0.1:0", {[] { return std::string{}; }, [&] { return healthy.load(); }, [] { return false; }}); // it drains
  REQUIRE(listening.has_value());
  const auto port = (*listening)->port();
  const auto rich = [&](const std::string& state) {
    for (const auto& answer : {get(port, "/healthz/rich"), get(port, "/healthz", "Accept: application/json\r\n")}) {
      CHECK(answer.starts_with("HTTP/1.1 200"));
      CHECK(answer.find("Content-Type: application/json") != std::string::npos);
      CHECK(answer.ends_with("\r\n\r\n{\"ApplicationHealthState\":\"" + state + "\"}"));
    }
  };
  rich("Healthy");
  CHECK(get(port, "/healthz").ends_with("\r\n\r\nhealthy\n"));
  healthy = false;
  rich("Unhealthy");
  CHECK(get(port, "/healthz").starts_with("HTTP/1.1 503"));
}

TEST_CASE("a server ends at once, though nobody is connected", "[metrics]") {
  for (const std::string host : {"127.0.0.1", "0.0.0.0", "[::]"}) {
    auto listening =
        metrics::server::listen(host + ":0", {[] { return std::string{}; }, [] { return true; }, [] { return true; }});
    if (!listening.has_value() && host == "[::]") continue; // no IPv6 here
    REQUIRE(listening.has_value());
    const auto began = std::chrono::steady_clock::now();
    listening->reset();
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds{1});
  }
}

TEST_CASE("an address that cannot be listened on is an error that names it", "[metrics]") {
  const metrics::server_callbacks callbacks{[] { return std::string{}; }, [] { return true; }, [] { return true; }};
  for (const std::string bad : {"9100", "127.0.0.1:", ":9100", "127.0.0.1:http"}) {
    const auto result = metrics::server::listen(bad, callbacks);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == core::errc::bad_config);
    CHECK(result.error().message.find(bad) != std::string::npos);
  }
  const auto first = metrics::server::listen("127.0.0.1:0", callbacks);
  REQUIRE(first.has_value());
  const auto taken = metrics::server::listen("127.0.0.1:" + std::to_string((*first)->port()), callbacks);
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().code == core::errc::io);
}
