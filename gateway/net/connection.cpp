#include "gateway/net/connection.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "gateway/http/text.hpp"

namespace penstock::gateway::net {

using http::exchange;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t written_at_once = std::size_t{256} << 10U;
/// What is left of a body that nobody wants is read up to this, so that the connection can go on.
constexpr std::size_t passed_over = std::size_t{256} << 10U;
constexpr core::time_point never = core::time_point::max();
constexpr milliseconds lingering{2000};
/// How long a reply that has an end may let the door wait for its next piece.
constexpr milliseconds drain_patience{1000};

core::time_point now() { return core::clock::now(); }

/// Whether the peer has closed its side; what it sent before may still be unread.
bool has_left(int fd) {
  pollfd p{fd, POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

std::string date_header() {
  const auto at = std::time(nullptr);
  static thread_local std::time_t of = 0;
  static thread_local std::string text;
  if (at != of) {
    std::tm utc{};
    gmtime_r(&at, &utc);
    char buffer[64];
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc));
    of = at;
  }
  return text;
}

} // namespace

connection::connection(const std::shared_ptr<runtime>& on, hall& in, std::unique_ptr<byte_stream> stream,
                       std::string address, std::uint64_t number)
    : runtime_{on}, hall_{in}, stream_{std::move(stream)}, address_{std::move(address)}, number_{number},
      reader_{*stream_, in.how}, bell_{on->io}, look_again_{on->io} {
  hall_.enter(*this, address_);
}

connection::~connection() { hall_.leave(*this, address_); }

// -- waiting

asio::awaitable<bool> connection::wait(core::time_point until) {
  if (!rung_) {
    bell_.expires_at(until);
    error_code ec;
    co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
  co_return std::exchange(rung_, false);
}

void connection::ring() {
  rung_ = true;
  bell_.cancel();
}

std::function<void()> connection::ringer() {
  return [where = runtime_, who = weak_from_this()] {
    if (const auto on = where.lock()) {
      on->post([who] {
        if (const auto c = who.lock()) c->ring();
      });
    }
  };
}

void connection::watch() {
  if (watching_ || gone_) return;
  watching_ = true;
  stream_->socket().async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](const error_code& ec) {
    self->watching_ = false;
    if (!ec) self->look();
  });
}

void connection::look() {
  if (!current_ || gone_) return;
  if (!stream_->socket().is_open() || has_left(stream_->socket().native_handle())) {
    gone_ = true;
    current_->stop();
    ring();
    return;
  }
  // It has sent its next request already, so that the socket cannot tell; look from time to time.
  watching_ = true;
  look_again_.expires_after(milliseconds{250});
  look_again_.async_wait([self = shared_from_this()](const error_code& ec) {
    self->watching_ = false;
    if (!ec && self->current_) self->look();
  });
}

void connection::close() {
  gone_ = true;
  if (current_) current_->stop();
  look_again_.cancel();
  stream_->close();
  ring();
}

void connection::drain() {
  draining_ = true;
  if (!current_) return close();
  ring();
}

// -- reading

bool connection::make_request(http::request& out) {
  out.address = address_;
  const bool good = reader_.describe(out);
  out.id = http::request_id(out.get("X-Request-Id"), (number_ << 24U) + requests_);
  old_client_ = reader_.is_old_client();
  keep_ = reader_.may_stay() && !draining_ && !hall_.draining();
  return good;
}

asio::awaitable<bool> connection::read_whole(exchange& x, const http::route& to, reservation& held) {
  std::string whole;
  std::string piece;
  for (;;) {
    const auto got = co_await reader_.piece(piece);
    if (got == came::end) break;
    if (got != came::something) {
      note_refusal(x, got);
      co_return false;
    }
    if (reader_.received() > to.body_bytes) {
      note_refusal(x, came::too_large);
      co_return false;
    }
    if (!held.grow(piece.size())) {
      hall_.counts.refused(barred::buffered_bytes);
      auto r = http::refusal(503, to_string(barred::buffered_bytes), "too many bodies at the same time");
      r.headers.emplace_back("Retry-After", "1");
      x.give(std::move(r));
      co_return false;
    }
    whole += piece;
  }
  x.asked().body = std::move(whole);
  co_return true;
}

void connection::note_refusal(exchange& x, came what) {
  const auto no = [&](barred why, int status, const char* message) {
    hall_.counts.refused(why);
    x.give(http::refusal(status, to_string(why), message));
  };
  keep_ = false;
  switch (what) {
  case came::too_late: return no(barred::body_time, 408, "the body did not come in time");
  case came::malformed: return no(barred::malformed, 400, "the body's framing is broken");
  case came::too_large: return no(barred::body_bytes, 413, "the body is too large");
  default: gone_ = true; x.stop();
  }
}

asio::awaitable<bool> connection::pump(std::shared_ptr<exchange> x, http::reception r, const http::route& to) {
  std::string piece;
  for (;;) {
    const auto got = co_await reader_.piece(piece);
    if (got == came::end) break;
    if (got != came::something || reader_.received() > to.body_bytes) {
      r.to.reset();
      note_refusal(*x, got == came::something ? came::too_large : got);
      co_return !gone_;
    }
    hall_.counts.series.received_bytes.add(static_cast<double>(piece.size()));
    const auto taken = std::make_shared<mailbox<core::expected<std::monostate>>>();
    const auto waits_since = now();
    r.to->write(std::move(piece), [taken, x](core::expected<std::monostate> result) {
      taken->put(std::move(result));
      x->ring();
    });
    piece = {};
    std::optional<core::expected<std::monostate>> result;
    while (!(result = taken->take())) {
      if (gone_) co_return false;
      if (x->answered()) co_return true;
      watch();
      co_await wait(never);
    }
    reader_.prolong(now() - waits_since); // that time was not the client's
    if (!*result) {
      keep_ = false;
      x->give(http::refusal(result->error()));
      co_return true;
    }
  }
  r.complete();
  co_return true;
}

/// Reads what is left of a body that nobody wants, if that is little. False: the connection cannot go on.
asio::awaitable<bool> connection::pass_over_rest() {
  if (reader_.is_done()) co_return true;
  if (reader_.owes_continue() || reader_.remaining().value_or(0) > passed_over) co_return false;
  std::string piece;
  const auto before = reader_.received();
  for (;;) {
    const auto got = co_await reader_.piece(piece, now() + lingering);
    if (got == came::end) co_return true;
    if (got != came::something || reader_.received() - before > passed_over) co_return false;
  }
}

// -- writing

asio::awaitable<bool> connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, written_at_once);
    error_code ec;
    co_await stream_->write(part, now() + hall_.how.timeouts.write, ec);
    if (ec) {
      if (is_timeout(ec)) hall_.counts.refused(barred::write_time);
      gone_ = true;
      co_return false;
    }
    bytes.remove_prefix(part.size());
  }
  co_return true;
}

std::string connection::framing_of(std::optional<std::size_t> length, bool chunked) const {
  auto lines = date_header();
  if (length) lines += fmt::format("Content-Length: {}\r\n", *length);
  if (chunked) lines += "Transfer-Encoding: chunked\r\n";
  if (!keep_)
    lines += "Connection: close\r\n";
  else if (old_client_)
    lines += "Connection: keep-alive\r\n";
  return lines;
}

asio::awaitable<bool> connection::send_whole(const http::request& r, http::response reply) {
  hall_.gate.add_cors(r, reply);
  status_ = reply.status;
  const bool bodiless = reply.status == 204 || reply.status == 304;
  const auto length = bodiless ? std::nullopt : std::optional{reply.body.size()};
  auto bytes = http::head_of(reply, r.id, framing_of(length, false));
  if (r.method != "HEAD" && !bodiless) {
    bytes += reply.body;
    hall_.counts.series.sent_bytes.add(static_cast<double>(reply.body.size()));
  }
  const bool ok = co_await write(bytes);
  co_return ok;
}

asio::awaitable<bool> connection::send_stream(std::shared_ptr<exchange> x, http::streamed s) {
  const auto& r = x->asked();
  hall_.gate.add_cors(r, s.head);
  status_ = s.head.status;
  const bool websocket = s.how == http::framing::websocket;
  const bool chunked = !websocket && !old_client_;
  if (!chunked) keep_ = false;
  auto head =
      websocket ? http::head_of(s.head, r.id, date_header()) : http::head_of(s.head, r.id, framing_of({}, chunked));
  if (!co_await write(head)) co_return false;
  if (r.method == "HEAD") co_return true;
  if (websocket) {
    listening_ = true;
    asio::co_spawn(
        bell_.get_executor(), [self = shared_from_this()] { return self->listen_websocket(); }, asio::detached);
  }
  const bool whole = co_await send_pieces(*x, s, chunked);
  if (websocket) {
    const auto goodbye = decoder_.take_answer() + (gone_ ? "" : http::websocket::close_frame(1001, "the server stops"));
    if (stream_->socket().is_open() && !goodbye.empty()) co_await write(goodbye);
    keep_ = false;
    stream_->close();
    while (listening_) co_await wait(never);
    co_return false;
  }
  if (!whole || !chunked) co_return whole;
  const bool ok = co_await write("0\r\n\r\n");
  co_return ok;
}

/// True: the source came to its end. False: the client went away, or the source failed in the middle.
asio::awaitable<bool> connection::send_pieces(exchange& x, http::streamed& s, bool chunked) {
  const bool websocket = s.how == http::framing::websocket;
  auto earliest = now();
  for (;;) {
    while (now() < earliest && !gone_ && !draining_) {
      watch();
      co_await wait(earliest);
    }
    earliest = now() + s.spacing;
    const auto piece = std::make_shared<mailbox<core::expected<std::string>>>();
    s.pieces->next([piece, ring = ringer()](core::expected<std::string> p) {
      piece->put(std::move(p));
      ring();
    });
    std::optional<core::expected<std::string>> got;
    std::optional<core::time_point> latest; // while the door drains
    while (!(got = piece->take())) {
      if (gone_) co_return false;
      if (draining_ && !s.has_end) co_return true;
      if (draining_ && !latest) latest = now() + drain_patience;
      if (latest && now() >= *latest) {
        spdlog::warn("request {}: cut off: the door closes before its reply has come to an end", x.asked().id);
        keep_ = false;
        co_return false;
      }
      if (!websocket) watch();
      const auto quiet = s.keep_alive.count() > 0 ? now() + s.keep_alive : never;
      const bool rung = co_await wait(std::min(quiet, latest.value_or(never)));
      std::string sign;
      if (websocket) {
        sign = decoder_.take_answer();
        if (decoder_.finished()) gone_ = true;
        if (!rung) sign += http::websocket::frame(http::websocket::opcode::ping, {});
      } else if (!rung && !latest && !s.keep_alive_piece.empty()) {
        sign =
            chunked ? fmt::format("{:x}\r\n{}\r\n", s.keep_alive_piece.size(), s.keep_alive_piece) : s.keep_alive_piece;
      }
      if (!sign.empty() && !co_await write(sign)) co_return false;
    }
    if (!*got) {
      spdlog::warn("request {}: cut off: {}", x.asked().id, got->error().message);
      keep_ = false;
      co_return false;
    }
    auto& bytes = **got;
    if (bytes.empty()) co_return true;
    hall_.counts.series.sent_bytes.add(static_cast<double>(bytes.size()));
    if (chunked) bytes = fmt::format("{:x}\r\n", bytes.size()) + bytes + "\r\n";
    if (!co_await write(bytes)) co_return false;
    if (gone_) co_return false;
  }
}

asio::awaitable<void> connection::listen_websocket() {
  while (!gone_ && !decoder_.finished()) {
    // A client that does not answer two pings is not there any more.
    std::string bytes;
    const auto got = co_await reader_.raw(bytes, now() + 3 * hall_.how.events.keep_alive);
    if (got == came::something)
      decoder_.feed(bytes);
    else
      gone_ = true;
    ring();
  }
  if (current_) current_->stop();
  listening_ = false;
  ring();
}

// -- one request

asio::awaitable<bool> connection::answer(std::shared_ptr<exchange> x, const http::route& to) {
  for (;;) {
    auto next = x->take();
    if (auto* r = std::get_if<http::reception>(&next)) {
      auto moved = std::move(*r);
      if (!co_await pump(x, std::move(moved), to)) co_return false;
      continue;
    }
    if (auto* reply = std::get_if<http::response>(&next)) {
      const bool much_left = reader_.remaining().value_or(passed_over + 1) > passed_over;
      if (!reader_.is_done() && (much_left || reader_.owes_continue())) keep_ = false;
      auto moved = std::move(*reply);
      const bool ok = co_await send_whole(x->asked(), std::move(moved));
      co_return ok;
    }
    if (auto* s = std::get_if<http::streamed>(&next)) {
      if (!reader_.is_done()) keep_ = false;
      auto moved = std::move(*s);
      const bool ok = co_await send_stream(x, std::move(moved));
      co_return ok;
    }
    const auto& expiry = x->expiry();
    const auto until = expiry && !x->answered() ? expiry->first : never;
    if (gone_) co_return false;
    if (now() >= until) {
      x->stop();
      if (x->give(expiry->second)) hall_.counts.refused(barred::deadline);
      continue;
    }
    watch();
    co_await wait(until);
  }
}

asio::awaitable<bool> connection::refuse_head(came what) {
  http::request unknown;
  unknown.id = http::request_id({}, (number_ << 24U) + requests_);
  keep_ = false;
  const auto no = [&](barred why, int status, const char* message) {
    hall_.counts.refused(why);
    return http::refusal(status, to_string(why), message);
  };
  auto reply = what == came::too_late ? no(barred::header_time, 408, "the headers did not come in time")
               : what == came::too_large
                   ? no(barred::header_bytes, 431, "the headers are too long")
                   : no(barred::malformed, 400, "this is not an HTTP/1.1 request that can be taken");
  log(unknown, reply.status, core::seconds{0});
  co_await send_whole(unknown, std::move(reply));
  co_return false;
}

asio::awaitable<bool> connection::serve_one() {
  auto head = came::gone;
  {
    const hall::waiting place{hall_, *this};
    head = co_await reader_.head(requests_ == 0);
  }
  if (head == came::gone || gone_) {
    gone_ = true;
    co_return false;
  }
  if (head != came::end) {
    co_await refuse_head(head);
    co_return false;
  }
  ++requests_;
  const auto began = now();
  http::request r;
  if (!make_request(r)) {
    co_await refuse_head(came::malformed);
    co_return false;
  }
  auto verdict = hall_.gate.check(r, began);
  const auto x = std::make_shared<exchange>(std::move(r), ringer());
  current_ = x;
  static const http::route nothing;
  const auto& to = verdict.found != nullptr ? *verdict.found : nothing;
  bool go_on = true;
  reservation held{hall_};
  if (verdict.refused) {
    x->give(std::move(*verdict.refused));
  } else if (to.body == http::body_rule::whole) {
    go_on = co_await read_whole(*x, to, held);
    if (go_on) hall_.counts.series.received_bytes.add(static_cast<double>(reader_.received()));
  }
  if (go_on && !verdict.refused) {
    try {
      to.handle(std::make_shared<http::responder>(x));
    } catch (const std::exception& e) {
      spdlog::error("request {}: {}", x->asked().id, e.what());
      x->give(http::refusal(500, "internal", "the server failed; its log says why"));
    }
  }
  bool ok = co_await answer(x, to);
  x->stop();
  current_.reset();
  const core::seconds took{now() - began};
  if (status_ != 0) {
    const bool timed = status_ != 101 && to.body != http::body_rule::pieces;
    hall_.counts.answered(to.pattern.empty() ? "other" : to.pattern, to.method.empty() ? "other" : to.method, status_,
                          timed ? took : core::seconds{0});
    log(x->asked(), status_, took);
  }
  status_ = 0;
  if (ok && keep_ && !draining_) {
    ok = co_await pass_over_rest();
    if (ok) co_return true;
  }
  co_return false;
}

void connection::log(const http::request& r, int status, core::seconds took) const {
  // Without query and headers, which may hold what does not belong in a log.
  spdlog::log(status >= 500 && status != 501 && status != 503 ? spdlog::level::warn : spdlog::level::debug,
              "request {}: {} {} from {} ({}): {} after {:.1f} ms", r.id, http::for_log(r.method),
              http::for_log(r.path), address_, r.caller.empty() ? "-" : r.caller, status, took.count() * 1e3);
}

asio::awaitable<void> connection::end() {
  if (gone_) co_return;
  // Closing with unread bytes would reset the connection, and the client might lose the reply that it needs.
  const auto until = now() + lingering;
  error_code ec;
  co_await stream_->end(until, ec);
  std::string unwanted(request_reader::piece_bytes, '\0');
  while (!ec && now() < until) {
    const auto to = asio::buffer(unwanted);
    co_await stream_->read_some(to, until, ec);
  }
}

asio::awaitable<void> connection::run() {
  const auto self = shared_from_this();
  error_code ec;
  co_await stream_->handshake(now() + hall_.how.timeouts.header, ec);
  if (ec) gone_ = true;
  while (!gone_ && !hall_.draining()) {
    const bool more = co_await serve_one();
    if (!more) break;
  }
  co_await end();
  close();
}

} // namespace penstock::gateway::net
