#include "tests/unit/gateway/client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace penstock::test {

using std::chrono::milliseconds;

std::string reply::get(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
  }
  return {};
}

struct client::impl {
  int fd = -1;
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
  std::string buffer;
  bool ended = false;

  ~impl() {
    if (ssl != nullptr) SSL_free(ssl);
    if (context != nullptr) SSL_CTX_free(context);
    if (fd >= 0) ::close(fd);
  }

  bool wait(short what, milliseconds patience) const {
    if (ssl != nullptr && what == POLLIN && SSL_pending(ssl) > 0) return true;
    pollfd p{fd, what, 0};
    return ::poll(&p, 1, static_cast<int>(patience.count())) > 0;
  }

  /// Reads once into the buffer.
  bool fill(milliseconds patience) {
    if (ended || fd < 0 || !wait(POLLIN, patience)) return false;
    char bytes[65536];
    const long n = ssl != nullptr ? SSL_read(ssl, bytes, sizeof bytes) : ::recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) {
      ended = true;
      return false;
    }
    buffer.append(bytes, static_cast<std::size_t>(n));
    return true;
  }

  std::string take(std::size_t n) {
    auto out = buffer.substr(0, n);
    buffer.erase(0, n);
    return out;
  }
};

client::client(std::uint16_t port, bool tls) : impl_{std::make_unique<impl>()} {
  auto& i = *impl_;
  i.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(i.fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
    ::close(i.fd);
    i.fd = -1;
    return;
  }
  if (!tls) return;
  std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
  i.context = SSL_CTX_new(TLS_client_method());
  i.ssl = SSL_new(i.context);
  SSL_set_fd(i.ssl, i.fd);
  if (SSL_connect(i.ssl) != 1) i.ended = true;
}

client::~client() = default;
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;

bool client::connected() const { return impl_->fd >= 0 && !impl_->ended; }

bool client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!impl_->wait(POLLOUT, std::chrono::seconds{20})) return false;
    const long n = impl_->ssl != nullptr ? SSL_write(impl_->ssl, bytes.data(), static_cast<int>(bytes.size()))
                                         : ::send(impl_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::size_t client::send_some(std::string_view bytes) {
  const auto n = ::send(impl_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

std::string client::read(milliseconds patience) {
  if (impl_->buffer.empty()) impl_->fill(patience);
  return impl_->take(impl_->buffer.size());
}

std::string client::read_until(std::string_view text, milliseconds patience) {
  for (;;) {
    const auto at = impl_->buffer.find(text);
    if (at != std::string::npos) return impl_->take(at + text.size());
    if (!impl_->fill(patience)) return {};
  }
}

std::string client::read_bytes(std::size_t n) {
  while (impl_->buffer.size() < n && impl_->fill(std::chrono::seconds{20})) {
  }
  return impl_->take(n);
}

reply client::read_head() {
  reply r;
  const auto head = read_until("\r\n\r\n");
  if (head.size() < 12) return r;
  r.status = std::atoi(head.c_str() + 9);
  for (auto at = head.find("\r\n") + 2; at + 2 < head.size();) {
    const auto end = head.find("\r\n", at);
    const auto colon = head.find(':', at);
    if (colon < end) r.headers.emplace_back(head.substr(at, colon - at), head.substr(colon + 2, end - colon - 2));
    at = end + 2;
  }
  return r;
}

std::optional<std::string> client::read_chunk() {
  const auto line = read_until("\r\n");
  const auto size = std::strtoul(line.c_str(), nullptr, 16);
  auto bytes = read_bytes(size);
  read_bytes(2);
  if (size == 0) return std::nullopt;
  return bytes;
}

reply client::read_reply(bool head_only) {
  auto r = read_head();
  if (r.status == 100) r = read_head();
  if (head_only || r.status == 0) return r;
  if (r.get("Transfer-Encoding") == "chunked") {
    while (auto chunk = read_chunk()) r.body += *chunk;
  } else {
    r.body = read_bytes(std::strtoul(r.get("Content-Length").c_str(), nullptr, 10));
  }
  return r;
}

bool client::is_closed(milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!impl_->ended && std::chrono::steady_clock::now() < until) impl_->fill(milliseconds{100});
  return impl_->ended;
}

void client::finish_sending() { ::shutdown(impl_->fd, SHUT_WR); }

void client::close() { impl_ = std::make_unique<impl>(); }

std::string client::certificate_name() const {
  if (impl_->ssl == nullptr) return {};
  X509* certificate = SSL_get_peer_certificate(impl_->ssl);
  if (certificate == nullptr) return {};
  char name[256]{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  X509_free(certificate);
  return name;
}

reply ask(std::uint16_t port, const std::string& method, const std::string& target, const std::string& body,
          const std::vector<std::string>& headers) {
  client c{port};
  auto request = method + " " + target + " HTTP/1.1\r\nHost: door\r\nConnection: close\r\n";
  for (const auto& h : headers) request += h + "\r\n";
  if (!body.empty() || method == "POST") request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  c.send(request + "\r\n" + body);
  return c.read_reply(method == "HEAD");
}

} // namespace penstock::test
