#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/descriptor.hpp"
#include "tests/catch.hpp"

/// Plain TCP for tests.
namespace penstock::test {

using core::descriptor;

inline sockaddr_in local_address(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// The port of "tcp://127.0.0.1:PORT".
inline int port_of(const std::string& address) { return std::stoi(address.substr(address.rfind(':') + 1)); }

inline descriptor tcp_connection(int port) {
  descriptor made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto address = local_address(port);
  REQUIRE(::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return made;
}

inline bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// Passes bytes between one client and a server, keeps what it saw, and can stop passing without closing anything.
class relay {
 public:
  explicit relay(int server_port)
      : server_port_{server_port}, listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    auto address = local_address(0);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { run(); }};
  }
  ~relay() {
    over_ = true;
    thread_.join();
  }
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;

  [[nodiscard]] std::string address() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  void freeze() { frozen_ = true; }
  [[nodiscard]] std::string seen() const {
    const std::lock_guard lock{mutex_};
    return seen_;
  }

 private:
  void run() {
    descriptor client;
    descriptor server;
    std::vector<char> buffer(std::size_t{64} << 10U);
    constexpr int look_ms = 10;
    while (!over_) {
      std::array<pollfd, 3> all{{{listener_.get(), POLLIN, 0},
                                 {frozen_ ? -1 : client.get(), POLLIN, 0},
                                 {frozen_ ? -1 : server.get(), POLLIN, 0}}};
      if (::poll(all.data(), all.size(), look_ms) <= 0) continue;
      if (all[0].revents != 0) {
        descriptor accepted{::accept(listener_.get(), nullptr, nullptr)};
        if (client.get() >= 0) continue; // one only
        client = std::move(accepted);
        descriptor made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const auto address = local_address(server_port_);
        if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
        server = std::move(made);
      }
      if (all[1].revents != 0 && !pass(client, server, buffer)) return;
      if (all[2].revents != 0 && !pass(server, client, buffer)) return;
    }
  }

  bool pass(const descriptor& from, const descriptor& to, std::vector<char>& buffer) {
    const auto n = ::read(from.get(), buffer.data(), buffer.size());
    if (n <= 0) return false;
    const std::string_view bytes{buffer.data(), static_cast<std::size_t>(n)};
    {
      const std::lock_guard lock{mutex_};
      seen_ += bytes;
    }
    return write_all(to.get(), bytes);
  }

  int server_port_;
  int port_ = 0;
  descriptor listener_;
  std::atomic<bool> over_{false};
  std::atomic<bool> frozen_{false};
  mutable std::mutex mutex_;
  std::string seen_;
  std::thread thread_;
};

} // namespace penstock::test
