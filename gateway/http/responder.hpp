#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include "core/time.hpp"
#include "gateway/api.hpp"
#include "gateway/http/message.hpp"

namespace penstock::gateway::http {

/// How the pieces of a reply are framed.
enum class framing : std::uint8_t { chunks, websocket };

/// A reply whose body comes from a source.
struct streamed {
  response head; ///< its body is not used
  std::shared_ptr<byte_source> pieces;
  framing how = framing::chunks;
  std::chrono::microseconds spacing{0};    ///< shortest time between two pieces
  std::chrono::milliseconds keep_alive{0}; ///< 0: nothing is sent while no piece comes
  std::string keep_alive_piece;            ///< what is sent then; WebSockets get a ping
  bool has_end = false;                    ///< who reads it must not take a part for all of it
};

/// Where a body is brought, piece by piece.
struct reception {
  std::shared_ptr<byte_sink> to;
  std::function<void()> complete; ///< all of it was written
};

/// What a route wants of the connection next.
using order = std::variant<std::monostate, response, streamed, reception>;

/// What a connection and a route's handler share about one request. The connection takes orders on its own thread;
/// handlers give them from any.
class exchange {
 public:
  /// `ring` wakes the connection; callable from any thread, also after the connection has ended.
  exchange(request asked, std::function<void()> ring) : asked_{std::move(asked)}, ring_{std::move(ring)} {}

  [[nodiscard]] request& asked() noexcept { return asked_; }
  /// False: there is an answer already.
  bool give(order what);
  [[nodiscard]] order take();
  [[nodiscard]] bool answered() const;
  void ring() const { ring_(); }

  void stop() { gone_.request_stop(); }
  [[nodiscard]] std::stop_token gone() const { return gone_.get_token(); }

  /// On the connection's thread: when, and with what, to answer for a handler that takes too long.
  void expire_at(core::time_point when, response with) { expiry_.emplace(when, std::move(with)); }
  [[nodiscard]] const std::optional<std::pair<core::time_point, response>>& expiry() const { return expiry_; }

 private:
  request asked_;
  std::function<void()> ring_;
  mutable std::mutex mutex_; ///< guards next_ and answered_
  order next_;
  bool answered_ = false;
  std::stop_source gone_;
  std::optional<std::pair<core::time_point, response>> expiry_;
};

/// The handler's side: answers once, from any thread; the first answer counts. If the last owner lets go without one,
/// the client gets 500, so that a forgotten request hangs nobody.
class responder {
 public:
  explicit responder(std::shared_ptr<exchange> with) : with_{std::move(with)} {}
  ~responder();
  responder(const responder&) = delete;
  responder& operator=(const responder&) = delete;

  [[nodiscard]] const request& asked() const noexcept { return with_->asked(); }
  /// The body of a route that takes it whole; may be moved away.
  [[nodiscard]] std::string take_body() { return std::move(with_->asked().body); }
  [[nodiscard]] std::stop_token gone() const { return with_->gone(); }

  void reply(response r) { with_->give(std::move(r)); }
  void reply(const core::error& e);
  void reply(streamed s) { with_->give(std::move(s)); }
  /// Routes that take their body in pieces: begins to read it.
  void receive(reception r) { with_->give(std::move(r)); }
  /// Only while the handler is called.
  void expire_at(core::time_point when, response with) { with_->expire_at(when, std::move(with)); }

 private:
  std::shared_ptr<exchange> with_;
};

using responder_ptr = std::shared_ptr<responder>;

} // namespace penstock::gateway::http
