#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::gateway::http {

/// 0 to 15, or -1.
[[nodiscard]] int hex_value(char c) noexcept;

/// ASCII, without regard to case: names of headers, schemes, types.
[[nodiscard]] bool same_word(std::string_view a, std::string_view b) noexcept;

/// Without blanks and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

/// The parts between separators, trimmed, without empty ones.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// Percent-decoded (RFC 3986); nothing if a sequence is broken or gives a control character. `plus_is_blank`: as in the
/// values of forms and queries.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank = false);

/// A whole number in decimal digits, nothing else; nothing if it does not fit.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view digits) noexcept;

/// A name that may stand in logs, headers, paths of URLs and names of files: 1 to 128 of A-Z a-z 0-9 . _ - and not only
/// dots.
[[nodiscard]] bool is_plain_name(std::string_view name) noexcept;

/// The client's request id if it is a plain name of at most 64 characters, else 16 digits made of `number`.
[[nodiscard]] std::string request_id(std::string_view from_client, std::uint64_t number);

/// What a client sent, for a line of the log: printable ASCII, at most 200 characters.
[[nodiscard]] std::string for_log(std::string_view text);

/// A parameter of a header's value: `name="value"` or `name=value` after a semicolon.
[[nodiscard]] std::optional<std::string> header_parameter(std::string_view value, std::string_view name);

/// The value without its parameters, e.g. "text/html" of "text/html; charset=utf-8".
[[nodiscard]] std::string_view media_type(std::string_view value) noexcept;

} // namespace penstock::gateway::http
