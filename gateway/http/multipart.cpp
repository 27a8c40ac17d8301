#include "gateway/http/multipart.hpp"

#include "gateway/http/text.hpp"

namespace penstock::gateway::http {

namespace {

constexpr std::size_t most_header_bytes = 8192;
constexpr std::size_t most_boundary = 70; // RFC 2046, 5.1.1

auto corrupt(const char* what) { return core::fail(core::errc::corrupt, std::string{"multipart: "} + what); }

core::expected<void> read_headers(std::string_view headers, part& out) {
  while (!headers.empty()) {
    const auto end = headers.find("\r\n");
    const auto line = headers.substr(0, end);
    headers.remove_prefix(end == std::string_view::npos ? headers.size() : end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return corrupt("a header without a colon");
    const auto name = trimmed(line.substr(0, colon));
    const auto value = trimmed(line.substr(colon + 1));
    if (same_word(name, "content-type")) out.content_type = std::string{value};
    if (same_word(name, "content-disposition")) {
      out.name = header_parameter(value, "name").value_or("");
      out.file_name = header_parameter(value, "filename").value_or("");
    }
  }
  return {};
}

} // namespace

core::expected<std::vector<part>> parse_multipart(std::string_view body, std::string_view boundary,
                                                  std::size_t most_parts) {
  if (boundary.empty() || boundary.size() > most_boundary) return corrupt("no usable boundary");
  const std::string open = "--" + std::string{boundary};
  const std::string between = "\r\n" + open;
  // What stands before the first boundary is to be ignored.
  std::size_t at = 0;
  if (!body.starts_with(open)) {
    at = body.find(between);
    if (at == std::string_view::npos) return corrupt("the boundary is not in the body");
    at += 2;
  }
  at += open.size();
  std::vector<part> parts;
  for (;;) {
    if (body.substr(at).starts_with("--")) return parts;
    at = body.find_first_not_of(" \t", at); // padding is allowed there
    if (at == std::string_view::npos || !body.substr(at).starts_with("\r\n"))
      return corrupt("a boundary's line does not end");
    at += 2;
    if (parts.size() == most_parts) return core::fail(core::errc::too_large, "multipart: too many parts");
    part p;
    if (body.substr(at).starts_with("\r\n")) {
      at += 2; // no headers
    } else {
      const auto end = body.substr(0, at + most_header_bytes).find("\r\n\r\n", at);
      if (end == std::string_view::npos) {
        if (body.size() - at <= most_header_bytes) return corrupt("a part's headers do not end");
        return core::fail(core::errc::too_large, "multipart: a part's headers are too long");
      }
      if (auto ok = read_headers(body.substr(at, end - at), p); !ok) return tl::unexpected{ok.error()};
      at = end + 4;
    }
    // An empty part's boundary begins with the line end that closed its headers.
    const auto end = body.find(between, at >= 2 ? at - 2 : at);
    if (end == std::string_view::npos) return corrupt("the last boundary is missing");
    p.body = end < at ? std::string_view{} : body.substr(at, end - at);
    parts.push_back(std::move(p));
    at = end + between.size();
  }
}

} // namespace penstock::gateway::http
