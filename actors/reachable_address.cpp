#include "actors/reachable_address.hpp"

#include <array>
#include <memory>
#include <netdb.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace penstock::actors {

namespace {

struct host_port {
  std::string host;
  std::string port;
};

host_port split(std::string_view address) {
  constexpr std::string_view scheme = "tcp://";
  if (address.starts_with(scheme)) address.remove_prefix(scheme.size());
  const auto colon = address.rfind(':');
  auto host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {std::string{host}, colon == std::string_view::npos ? "" : std::string{address.substr(colon + 1)}};
}

struct descriptor {
  int fd = -1;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

/// The own address of a socket to there; nothing is sent.
std::string own_address(const addrinfo& to) {
  const descriptor s{::socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  std::array<char, NI_MAXHOST> host{};
  auto* address = reinterpret_cast<sockaddr*>(&own);
  if (s.fd < 0 || ::connect(s.fd, to.ai_addr, to.ai_addrlen) != 0 || ::getsockname(s.fd, address, &size) != 0 ||
      ::getnameinfo(address, size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return {};
  return host.data();
}

} // namespace

core::expected<std::string> reachable_address(const std::string& bound, const std::string& peer) {
  const auto own = split(bound);
  if (!bound.starts_with("tcp://") || (own.host != "0.0.0.0" && own.host != "::" && own.host != "*")) return bound;
  const auto there = split(peer);
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_family = own.host == "0.0.0.0" ? AF_INET : AF_UNSPEC;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(there.host.c_str(), there.port.c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all{found, &::freeaddrinfo};
  if (failed != 0) return core::fail(core::errc::unavailable, fmt::format("{}: {}", peer, ::gai_strerror(failed)));
  for (const auto* at = all.get(); at != nullptr; at = at->ai_next) {
    const auto host = own_address(*at);
    if (host.empty()) continue;
    return host.find(':') == std::string::npos ? fmt::format("tcp://{}:{}", host, own.port)
                                               : fmt::format("tcp://[{}]:{}", host, own.port);
  }
  return core::fail(core::errc::unavailable, fmt::format("{}: no way there from this machine", peer));
}

} // namespace penstock::actors
