#include "gateway/http/message.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/http/text.hpp"

namespace penstock::gateway::http {

namespace {

void append_clean(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out.push_back(c);
  }
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  append_clean(out, name);
  out += ": ";
  append_clean(out, value);
  out += "\r\n";
}

} // namespace

std::string_view request::get(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (same_word(key, name)) return value;
  }
  return {};
}

std::optional<std::string_view> request::query_value(std::string_view name) const noexcept {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> request::query_list(std::string_view name) const {
  std::vector<std::string> list;
  for (const auto& [key, value] : query) {
    if (key != name) continue;
    for (const auto part : split(value, ',')) list.emplace_back(part);
  }
  return list;
}

bool request::query_flag(std::string_view name) const noexcept {
  const auto value = query_value(name);
  return value && (value->empty() || *value == "true" || *value == "1");
}

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
  case 101: return "Switching Protocols";
  case 200: return "OK";
  case 201: return "Created";
  case 202: return "Accepted";
  case 204: return "No Content";
  case 304: return "Not Modified";
  case 400: return "Bad Request";
  case 401: return "Unauthorized";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 406: return "Not Acceptable";
  case 408: return "Request Timeout";
  case 409: return "Conflict";
  case 413: return "Content Too Large";
  case 415: return "Unsupported Media Type";
  case 422: return "Unprocessable Content";
  case 426: return "Upgrade Required";
  case 429: return "Too Many Requests";
  case 431: return "Request Header Fields Too Large";
  case 500: return "Internal Server Error";
  case 501: return "Not Implemented";
  case 503: return "Service Unavailable";
  case 504: return "Gateway Timeout";
  default: return "Unknown";
  }
}

response refusal(int status, std::string_view code, std::string message) {
  // Messages may hold what a client sent: `replace` keeps broken UTF-8 from being an exception.
  const nlohmann::json body{{"error", {{"code", code}, {"message", std::move(message)}}}};
  return {status, "application/json", body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", {}};
}

response refusal(const core::error& error) {
  const auto code = core::to_string(error.code);
  switch (error.code) {
  case core::errc::invalid_argument: return refusal(400, code, error.message);
  case core::errc::not_found: return refusal(404, code, error.message);
  case core::errc::too_large: return refusal(413, code, error.message);
  case core::errc::corrupt: return refusal(422, code, error.message);
  case core::errc::unsupported: return refusal(415, code, error.message);
  case core::errc::timeout: return refusal(504, code, error.message);
  case core::errc::unavailable:
  case core::errc::cancelled: {
    auto r = refusal(503, code, error.message);
    r.headers.emplace_back("Retry-After", "1");
    return r;
  }
  default: return refusal(500, "internal", "the server failed; its log says why");
  }
}

std::string head_of(const response& r, std::string_view request_id, std::string_view framing) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", r.status, reason_phrase(r.status));
  append_header(head, "X-Request-Id", request_id);
  if (!r.content_type.empty()) append_header(head, "Content-Type", r.content_type);
  // No reply is for a cache, none is to be taken for something else than it says.
  append_header(head, "Cache-Control", "no-store");
  append_header(head, "X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : r.headers) append_header(head, name, value);
  head += framing;
  head += "\r\n";
  return head;
}

bool parse_target(std::string_view target, request& out) {
  target = target.substr(0, target.find('#'));
  if (!target.starts_with('/')) return false;
  const auto mark = target.find('?');
  out.path = std::string{target.substr(0, mark)};
  out.query.clear();
  if (mark == std::string_view::npos) return true;
  for (const auto item : split(target.substr(mark + 1), '&')) {
    const auto equals = std::min(item.find('='), item.size());
    auto name = percent_decoded(item.substr(0, equals), true);
    auto value = percent_decoded(item.substr(std::min(equals + 1, item.size())), true);
    if (!name || !value) return false;
    out.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

} // namespace penstock::gateway::http
