#include "jobs/nats/address.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace penstock::jobs::nats {
namespace {

tl::unexpected<core::error> wrong(std::string_view what) {
  return core::fail(core::errc::bad_config, std::string{what});
}

/// Takes off what stands before a letter, and the letter.
std::string_view cut(std::string_view& text, char at) {
  const auto end = text.find(at);
  const auto out = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return out;
}

bool read_number(std::string_view text, int& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

bool is_name(std::string_view text) {
  constexpr std::size_t longest = 64;
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

core::expected<void> read_option(std::string_view name, std::string_view value, address& out) {
  int number = 0;
  if (name == "name") {
    if (!is_name(value)) return wrong("name: allowed: letters, digits, - and _");
    out.name = value;
  } else if (name == "replicas") {
    if (!read_number(value, number) || (number != 1 && number != 3 && number != 5)) {
      return wrong("replicas: allowed: 1, 3 or 5");
    }
    out.replicas = number;
  } else if (name == "ack_wait") {
    constexpr int longest = 3'600;
    if (!read_number(value, number) || number < 1 || number > longest) {
      return wrong("ack_wait: allowed: 1 to 3600 seconds");
    }
    out.ack_wait = std::chrono::seconds{number};
  } else if (name == "credentials") {
    if (value.empty()) return wrong("credentials: allowed: a file");
    out.credentials = value;
  } else {
    return wrong(fmt::format("found '{}'; allowed: name, replicas, ack_wait, credentials", name));
  }
  return {};
}

} // namespace

core::expected<address> parse_address(std::string_view url) {
  address out;
  auto servers = cut(url, '?');
  while (!servers.empty()) {
    const auto server = cut(servers, ',');
    const auto scheme = server.starts_with("nats://") || server.starts_with("tls://");
    if (!scheme || server.size() <= server.find("//") + 2) {
      return wrong("allowed: nats://HOST:PORT or tls://HOST:PORT, several with commas between them");
    }
    out.servers.emplace_back(server);
  }
  if (out.servers.empty()) return wrong("allowed: nats://HOST:PORT or tls://HOST:PORT");
  while (!url.empty()) {
    auto option = cut(url, '&');
    const auto name = cut(option, '=');
    if (auto read = read_option(name, option, out); !read) return tl::unexpected{read.error()};
  }
  return out;
}

} // namespace penstock::jobs::nats
