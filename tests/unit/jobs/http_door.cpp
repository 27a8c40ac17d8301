#include "tests/unit/jobs/http_door.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "tests/catch.hpp"

namespace penstock::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

bool send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// Reads more; false at the end.
bool receive(int from, std::string& into) {
  std::array<char, 65536> buffer{};
  const auto n = ::recv(from, buffer.data(), buffer.size(), 0);
  if (n <= 0) return false;
  into.append(buffer.data(), static_cast<std::size_t>(n));
  return true;
}

void reset(int connection) {
  const linger at_once{1, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

} // namespace

std::string seen_request::header(const std::string& name) const {
  std::size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string::npos) {
    at += 2;
    if (::strncasecmp(head.c_str() + at, (name + ":").c_str(), name.size() + 1) != 0) continue;
    auto value = head.substr(at + name.size() + 1, head.find("\r\n", at) - at - name.size() - 1);
    value.erase(0, value.find_first_not_of(' '));
    return value;
  }
  return {};
}

http_door::http_door(answer_function answer)
    : answer_{std::move(answer)}, listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  auto address = loopback(0);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener_, 64) == 0);
  REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread{[this] { run(); }};
}

http_door::~http_door() {
  ends_ = true;
  thread_.join();
  for (auto& each : serving_) each.join();
  ::close(listener_);
}

void http_door::run() {
  while (!ends_) {
    pollfd ready{listener_, POLLIN, 0};
    if (::poll(&ready, 1, 20) <= 0) continue;
    const auto connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serving_.emplace_back([this, connection] {
      serve(connection);
      ::close(connection);
    });
  }
}

void http_door::serve(int connection) {
  const timeval limit{10, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string got;
  std::size_t end = 0;
  while ((end = got.find("\r\n\r\n")) == std::string::npos) {
    if (!receive(connection, got)) return;
  }
  seen_request request;
  request.head = got.substr(0, end + 2);
  request.line = got.substr(0, got.find("\r\n"));
  request.body = got.substr(end + 4);
  const auto length = request.header("Content-Length");
  std::size_t bytes = 0;
  std::from_chars(length.data(), length.data() + length.size(), bytes);
  while (request.body.size() < bytes) {
    if (!receive(connection, request.body)) return;
  }
  const auto answer = answer_(request);
  if (!answer || !send_all(connection, *answer)) return reset(connection);
  ::shutdown(connection, SHUT_WR);
  for (std::string rest; receive(connection, rest);) { // lets the other side close first
  }
}

std::string http_answer(int status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " Something\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers +
         "\r\n" + body;
}

faulty_relay::faulty_relay(int to, std::uint64_t seed, double rate)
    : to_{to}, rate_{rate}, draws_{seed}, door_{std::make_unique<http_door>(
                                              [this](const seen_request& request) { return pass(request); })} {}

std::optional<std::string> faulty_relay::pass(const seen_request& request) {
  bool unheard = false;
  bool busy = false;
  bool lost = false;
  {
    const std::lock_guard lock{mutex_};
    unheard = draws_.chance(rate_);
    busy = draws_.chance(rate_);
    lost = draws_.chance(rate_);
  }
  if (unheard || busy || lost) ++faults_;
  if (unheard) return std::nullopt;
  if (busy) return http_answer(503, "Retry-After: 0\r\nx-ms-error-code: ServerBusy\r\n", "");
  const auto upstream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(to_);
  std::string answer;
  if (::connect(upstream, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const auto first = request.head.find("\r\n") + 2;
    send_all(upstream, request.head.substr(0, first) + "Connection: close\r\n" + request.head.substr(first) + "\r\n");
    send_all(upstream, request.body);
    while (receive(upstream, answer)) {
    }
  }
  ::close(upstream);
  if (lost || answer.empty()) return std::nullopt;
  return answer;
}

} // namespace penstock::test
