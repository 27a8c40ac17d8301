#include "cli/http_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "tests/catch.hpp"

using namespace penstock;
using namespace std::chrono_literals;

namespace {

/// Takes one connection, reads a little, says one thing, and then ends the connection, or neither reads nor closes
/// until it is destroyed.
class stubborn_server {
 public:
  explicit stubborn_server(std::string says, bool ends = false) : says_{std::move(says)}, ends_{ends} {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(door_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(door_, 1) == 0);
    REQUIRE(::getsockname(door_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port_ = ntohs(at.sin_port);
    thread_ = std::jthread{[this] {
      client_ = ::accept(door_, nullptr, nullptr);
      std::array<char, 512> some{};
      if (::recv(client_, some.data(), some.size(), 0) > 0)
        static_cast<void>(::send(client_, says_.data(), says_.size(), MSG_NOSIGNAL));
      if (ends_) ::shutdown(client_, SHUT_RDWR);
    }};
  }
  ~stubborn_server() {
    ::shutdown(door_, SHUT_RDWR); // ends accept
    thread_.join();
    if (client_ >= 0) ::close(client_);
    ::close(door_);
  }
  stubborn_server(const stubborn_server&) = delete;
  stubborn_server& operator=(const stubborn_server&) = delete;

  [[nodiscard]] cli::http_client client() const {
    return {*cli::read_address("http://127.0.0.1:" + std::to_string(port_)), ""};
  }

 private:
  std::string says_;
  bool ends_;
  int door_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int client_ = -1;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

/// A large file without content, already deleted.
class hollow_file {
 public:
  hollow_file() {
    auto path = (std::filesystem::temp_directory_path() / "penstock-hollow-XXXXXX").string();
    fd_ = ::mkstemp(path.data());
    REQUIRE(fd_ >= 0);
    ::unlink(path.c_str());
    REQUIRE(::ftruncate(fd_, static_cast<off_t>(bytes)) == 0);
  }
  ~hollow_file() { ::close(fd_); }
  hollow_file(const hollow_file&) = delete;
  hollow_file& operator=(const hollow_file&) = delete;

  static constexpr std::uint64_t bytes = std::uint64_t{1} << 30U;
  [[nodiscard]] cli::http_request upload() const {
    cli::http_request r;
    r.method = "POST";
    r.body_fd = fd_;
    r.body_bytes = bytes;
    r.headers = {{"Expect", ""}}; // sent at once
    r.silence = 10s;
    return r;
  }

 private:
  int fd_ = -1;
};

} // namespace

TEST_CASE("a reply that comes before the body has been sent is the answer, and the rest is not sent") {
  const stubborn_server server{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nknown"};
  const hollow_file file;
  auto client = server.client();
  auto request = file.upload();
  std::uint64_t sent = 0;
  request.sent = [&](std::uint64_t bytes) { sent = bytes; };
  const auto began = std::chrono::steady_clock::now();
  const auto reply = client.ask(request, {});
  INFO((reply ? "" : reply.error().message));
  REQUIRE(reply);
  CHECK(reply->status == 200);
  CHECK(reply->body == "known");
  CHECK(sent < file.bytes);
  CHECK(std::chrono::steady_clock::now() - began < request.silence);
}

TEST_CASE("a request ends when somebody asks to stop") {
  const stubborn_server server{"HTTP/1.1 100 Continue\r\n\r\n"};
  const hollow_file file;
  auto client = server.client();
  std::stop_source stop;
  auto request = file.upload();
  request.sent = [&](std::uint64_t) { stop.request_stop(); };
  const auto reply = client.ask(request, stop.get_token());
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == core::errc::cancelled);
}

TEST_CASE("a reply that is cut off is no answer") {
  for (const auto* begin : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nkn", "HTTP/1.1 200 OK\r\nContent-Le", ""}) {
    const stubborn_server server{begin, true};
    auto client = server.client();
    const auto reply = client.ask({}, {});
    INFO(begin);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == core::errc::unavailable);
  }
}
