#include "gateway/http/websocket.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

namespace penstock::gateway::http::websocket {

namespace {

constexpr std::uint16_t protocol_error = 1002;
constexpr std::size_t most_control_bytes = 125; // 5.5

} // namespace

std::string accept_key(std::string_view client_key) {
  const auto salted = std::string{client_key} + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  EVP_Digest(salted.data(), salted.size(), hash.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 64> text{};
  const int length = EVP_EncodeBlock(text.data(), hash.data(), static_cast<int>(size));
  return {text.begin(), text.begin() + length};
}

bool is_key(std::string_view key) noexcept {
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), is_base64);
}

std::string frame(opcode code, std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + 10);
  out.push_back(static_cast<char>(0x80U | static_cast<unsigned>(code)));
  const auto append_size = [&](int bytes) {
    for (int i = bytes - 1; i >= 0; --i)
      out.push_back(static_cast<char>(payload.size() >> (8U * static_cast<unsigned>(i))));
  };
  if (payload.size() <= 125) {
    append_size(1);
  } else if (payload.size() <= 0xffff) {
    out.push_back(126);
    append_size(2);
  } else {
    out.push_back(127);
    append_size(8);
  }
  out += payload;
  return out;
}

std::string close_frame(std::uint16_t status, std::string_view why) {
  std::string payload{static_cast<char>(status >> 8U), static_cast<char>(status & 0xffU)};
  payload += why;
  return frame(opcode::close, payload);
}

void decoder::feed(std::string_view bytes) {
  while (!bytes.empty() && !finished_) {
    if (to_skip_ > 0) {
      const auto n = std::min<std::uint64_t>(to_skip_, bytes.size());
      to_skip_ -= n;
      bytes.remove_prefix(n);
      continue;
    }
    pending_.push_back(bytes.front());
    bytes.remove_prefix(1);
    step();
  }
}

void decoder::step() {
  if (pending_.size() < 2) return;
  const auto first = static_cast<unsigned char>(pending_[0]);
  const auto second = static_cast<unsigned char>(pending_[1]);
  const bool last = (first & 0x80U) != 0;
  const unsigned code = first & 0x0fU;
  const bool is_control = code >= 8;
  if ((first & 0x70U) != 0) return end(protocol_error, "reserved bits");
  if ((second & 0x80U) == 0) return end(protocol_error, "not masked");
  if (code > 10 || (code > 2 && code < 8)) return end(protocol_error, "unknown kind of frame");
  std::uint64_t size = second & 0x7fU;
  if (is_control && (!last || size > most_control_bytes)) return end(protocol_error, "control frame");
  const std::size_t size_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
  const std::size_t header = 2 + size_bytes + 4;
  if (pending_.size() < header) return;
  if (size_bytes > 0) {
    size = 0;
    for (std::size_t i = 0; i < size_bytes; ++i) size = size << 8U | static_cast<unsigned char>(pending_[2 + i]);
    if (size >> 63U != 0) return end(protocol_error, "length");
  }
  if (!is_control) {
    if ((code == 0) != in_message_) return end(protocol_error, "fragments");
    in_message_ = !last;
    to_skip_ = size;
    pending_.clear();
    return;
  }
  if (pending_.size() < header + size) return;
  std::string payload = pending_.substr(header);
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<char>(payload[i] ^ pending_[header - 4 + i % 4]);
  pending_.clear();
  control(static_cast<opcode>(code), std::move(payload));
}

void decoder::control(opcode code, std::string payload) {
  if (code == opcode::ping) pong_ = frame(opcode::pong, payload);
  if (code != opcode::close) return;
  finished_ = true;
  // The status is sent back, what the client says about it is not.
  close_ = frame(opcode::close, std::string_view{payload}.substr(0, payload.size() < 2 ? 0 : 2));
}

void decoder::end(std::uint16_t status, std::string_view why) {
  finished_ = true;
  close_ = close_frame(status, why);
}

std::string decoder::take_answer() { return std::exchange(pong_, {}) + std::exchange(close_, {}); }

} // namespace penstock::gateway::http::websocket
