#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The part of the WebSocket protocol (RFC 6455) that a server needs which sends text and takes nothing but control
/// frames.
namespace penstock::gateway::http::websocket {

/// Sec-WebSocket-Accept for a client's Sec-WebSocket-Key (4.2.2).
[[nodiscard]] std::string accept_key(std::string_view client_key);

/// Whether a key is as it must be: 16 bytes in base64.
[[nodiscard]] bool is_key(std::string_view client_key) noexcept;

enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// One whole frame as a server sends it.
[[nodiscard]] std::string frame(opcode code, std::string_view payload);
[[nodiscard]] std::string close_frame(std::uint16_t status, std::string_view why);

/// Reads a client's frames. Data frames are passed over.
class decoder {
 public:
  /// Takes what came. Ends early, with `finished()`, at a close frame or at what is against the protocol.
  void feed(std::string_view bytes);

  /// Frames to send back: pongs, and the answer to a close. Only the latest pong is kept (5.5.3).
  [[nodiscard]] std::string take_answer();
  [[nodiscard]] bool finished() const noexcept { return finished_; }

 private:
  void step();
  void end(std::uint16_t status, std::string_view why);
  void control(opcode code, std::string payload);

  std::string pending_;       ///< of a header or a control frame: 139 bytes at most
  std::uint64_t to_skip_ = 0; ///< of a data frame's payload
  bool in_message_ = false;   ///< a fragmented message is open
  std::string pong_;
  std::string close_;
  bool finished_ = false;
};

} // namespace penstock::gateway::http::websocket
