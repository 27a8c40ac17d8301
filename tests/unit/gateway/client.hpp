#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A client that sends what it is told, right or wrong, and reads what comes. All waits end.
namespace penstock::test {

struct reply {
  int status = 0; ///< 0: the connection ended without one
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  [[nodiscard]] std::string get(std::string_view name) const;
};

class client {
 public:
  /// `tls`: encrypted, with any certificate.
  explicit client(std::uint16_t port, bool tls = false);
  ~client();
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;

  [[nodiscard]] bool connected() const;
  /// False: the other side takes no more.
  bool send(std::string_view bytes);
  /// As much as can be sent without waiting; the number of bytes.
  std::size_t send_some(std::string_view bytes);
  /// What there is; empty at the end of the connection or after `patience`.
  std::string read(std::chrono::milliseconds patience = std::chrono::seconds{20});
  /// Reads until the text is there, and gives all up to its end; empty if it does not come.
  std::string read_until(std::string_view text, std::chrono::milliseconds patience = std::chrono::seconds{20});
  std::string read_bytes(std::size_t n);
  /// One whole reply, chunked ones too.
  reply read_reply(bool head_only = false);
  /// Status and headers of a reply whose body goes on.
  reply read_head();
  /// One chunk of a chunked body; nothing at its end.
  std::optional<std::string> read_chunk();
  /// Whether the other side closes within the patience.
  bool is_closed(std::chrono::milliseconds patience = std::chrono::seconds{20});
  void finish_sending();
  void close();
  /// Subject of the server's certificate.
  [[nodiscard]] std::string certificate_name() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// One request over a connection of its own.
reply ask(std::uint16_t port, const std::string& method, const std::string& target, const std::string& body = {},
          const std::vector<std::string>& headers = {});

} // namespace penstock::test
