#include "gateway/net/request_reader.hpp"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

#include "gateway/http/text.hpp"

namespace penstock::gateway::net {

namespace beast = boost::beast;

struct request_reader::parsing {
  explicit parsing(std::size_t most) : in{most} {}
  beast::flat_buffer in; ///< read and not yet parsed
  std::optional<beast::http::request_parser<beast::http::buffer_body>> parser;
};

request_reader::request_reader(byte_stream& from, const options& how)
    : from_{from}, how_{how}, parsing_{
                                  std::make_unique<parsing>(std::max(how.limits.header_bytes, piece_bytes) + 4096)} {}

request_reader::~request_reader() = default;

asio::awaitable<came> request_reader::more(std::size_t most, core::time_point until) {
  auto& in = parsing_->in;
  const auto room = std::min(most, in.max_size() - in.size());
  if (room == 0) co_return came::malformed;
  const auto to = in.prepare(room);
  error_code ec;
  const auto n = co_await from_.read_some(to, until, ec);
  in.commit(n);
  if (n > 0) co_return came::something;
  co_return is_timeout(ec) ? came::too_late : came::gone;
}

asio::awaitable<came> request_reader::head(bool first) {
  auto& in = parsing_->in;
  auto& parser = parsing_->parser.emplace();
  parser.header_limit(static_cast<std::uint32_t>(how_.limits.header_bytes));
  parser.body_limit(std::numeric_limits<std::uint64_t>::max()); // routes have their own; `none` is broken in 1.74
  const auto& times = how_.timeouts;
  bool begun = in.size() > 0 || first;
  auto until = core::clock::now() + (begun ? times.header : times.idle);
  for (;;) {
    if (in.size() > 0) {
      if (!begun) {
        begun = true;
        until = core::clock::now() + times.header;
      }
      error_code ec;
      in.consume(parser.put(in.data(), ec));
      if (parser.is_header_done()) co_return came::end;
      if (ec == beast::http::error::header_limit) co_return came::too_large;
      if (ec && ec != beast::http::error::need_more) co_return came::malformed;
      if (in.size() > how_.limits.header_bytes) co_return came::too_large;
    }
    const auto got = co_await more(4096, until);
    // A connection that never sent anything, or is idle, is closed without a word.
    if (got == came::too_late && in.size() == 0 && !parser.got_some()) co_return came::gone;
    if (got != came::something) co_return got;
  }
}

namespace {

/// Beast's own views, whichever they are in this version.
std::string text_of(beast::string_view text) { return {text.data(), text.size()}; }

/// Of the ways to code a body only `chunked` is known. Whoever passed the request on may have taken another for the
/// end of the headers, and what follows for a request of its own.
template <class Message>
bool is_framed_clearly(const Message& m) {
  const auto codings = m.count(beast::http::field::transfer_encoding);
  if (codings == 0) return true;
  return codings == 1 && m.version() == 11 &&
         http::same_word(text_of(m[beast::http::field::transfer_encoding]), "chunked");
}

} // namespace

bool request_reader::describe(http::request& out) {
  const auto& parser = *parsing_->parser;
  const auto& m = parser.get();
  out.method = text_of(m.method_string());
  for (const auto& f : m) out.headers.emplace_back(text_of(f.name_string()), text_of(f.value()));
  if (const auto length = parser.content_length()) out.content_length = *length;
  out.chunked = parser.chunked();
  old_client_ = m.version() == 10;
  owes_continue_ = out.has_body() && http::same_word(out.get("Expect"), "100-continue");
  began_ = core::clock::now();
  received_ = 0;
  if (m.version() != 10 && m.version() != 11) return false;
  if (!is_framed_clearly(m)) return false;
  if (!old_client_ && m.count(beast::http::field::host) != 1) return false;
  return http::parse_target(std::string_view{m.target().data(), m.target().size()}, out);
}

core::time_point request_reader::limit() const {
  const auto& times = how_.timeouts;
  const auto earned = core::seconds{static_cast<double>(received_) / static_cast<double>(times.body_bytes_per_s)};
  // A day is as good as for ever, and cannot overflow.
  const auto bounded = std::min<core::seconds>(earned, std::chrono::hours{24});
  return began_ + times.body + std::chrono::duration_cast<core::clock::duration>(bounded);
}

asio::awaitable<came> request_reader::piece(std::string& to, core::time_point until) {
  auto& in = parsing_->in;
  auto& parser = *parsing_->parser;
  to.resize(piece_bytes);
  auto& body = parser.get().body();
  body.data = to.data();
  body.size = to.size();
  body.more = true;
  if (owes_continue_ && in.size() == 0) {
    owes_continue_ = false;
    error_code ec;
    co_await from_.write("HTTP/1.1 100 Continue\r\n\r\n", core::clock::now() + how_.timeouts.write, ec);
    if (ec) co_return came::gone;
  }
  for (;;) {
    while (!parser.is_done() && in.size() > 0) {
      error_code ec;
      const auto used = parser.put(in.data(), ec);
      in.consume(used);
      if (ec == beast::http::error::need_buffer) break;
      if (ec && ec != beast::http::error::need_more) co_return came::malformed;
      if (ec || used == 0) break;
    }
    to.resize(piece_bytes - body.size);
    received_ += to.size();
    if (!to.empty()) co_return came::something;
    if (parser.is_done()) co_return came::end;
    to.resize(piece_bytes);
    const auto got = co_await more(piece_bytes, std::min(limit(), until));
    if (got != came::something) co_return got;
  }
}

asio::awaitable<came> request_reader::raw(std::string& to, core::time_point until) {
  auto& in = parsing_->in;
  const auto got = co_await more(4096, until);
  if (got == came::something) {
    to.assign(static_cast<const char*>(in.data().data()), in.size());
    in.consume(in.size());
  }
  co_return got;
}

bool request_reader::is_done() const { return parsing_->parser->is_done(); }

std::optional<std::uint64_t> request_reader::remaining() const {
  const auto n = parsing_->parser->content_length_remaining();
  return n ? std::optional<std::uint64_t>{*n} : std::nullopt;
}

bool request_reader::may_stay() const { return parsing_->parser->get().keep_alive(); }

} // namespace penstock::gateway::net
