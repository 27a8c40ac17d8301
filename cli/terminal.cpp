#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fmt/format.h>

namespace penstock::cli {

namespace {

struct character {
  std::uint32_t code = 0;
  std::size_t bytes = 0; ///< 0: not UTF-8
};

/// The first character of text that is not empty (RFC 3629).
character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const auto lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  auto code = lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = code << 6U | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, bytes};
}

bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

std::size_t width_of(std::uint32_t code) {
  struct range {
    std::uint32_t first, last;
  };
  constexpr std::array combining{range{0x300, 0x36f}, range{0x200b, 0x200d}, range{0x20d0, 0x20ff},
                                 range{0xfe00, 0xfe0f}, range{0xfe20, 0xfe2f}};
  constexpr std::array wide{range{0x1100, 0x115f},   range{0x2e80, 0xa4cf},   range{0xac00, 0xd7a3},
                            range{0xf900, 0xfaff},   range{0xfe30, 0xfe6f},   range{0xff01, 0xff60},
                            range{0xffe0, 0xffe6},   range{0x1f300, 0x1f64f}, range{0x1f680, 0x1f6ff},
                            range{0x1f900, 0x1faff}, range{0x20000, 0x3fffd}};
  const auto holds = [code](const range& r) { return code >= r.first && code <= r.last; };
  if (std::ranges::any_of(combining, holds)) return 0;
  return std::ranges::any_of(wide, holds) ? 2 : 1;
}

} // namespace

std::optional<screen_size> terminal_size(int fd) {
  if (::isatty(fd) != 1) return std::nullopt;
  winsize size{};
  screen_size out;
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return out;
  if (size.ws_col > 0) out.columns = size.ws_col;
  if (size.ws_row > 0) out.rows = size.ws_row;
  return out;
}

std::string bar(double share, std::size_t columns) {
  const auto filled = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(columns));
  std::string out;
  for (std::size_t i = 0; i < columns; ++i) out += i < filled ? "█" : "░";
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto c = first_of(text);
    const auto bytes = std::max<std::size_t>(c.bytes, 1);
    if (c.bytes == 0 || is_control(c.code))
      out += '?';
    else
      out += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return out;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto c = first_of(text);
    columns += c.bytes == 0 ? 1 : width_of(c.code);
    text.remove_prefix(std::max<std::size_t>(c.bytes, 1));
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string{text};
  if (columns == 0) return {};
  std::size_t taken = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const auto c = first_of(text.substr(bytes));
    taken += c.bytes == 0 ? 1 : width_of(c.code);
    if (taken > columns - 1) break;
    bytes += std::max<std::size_t>(c.bytes, 1);
  }
  return std::string{text.substr(0, bytes)} + "…";
}

void status_lines::show(const std::vector<std::string>& lines) {
  const auto size = terminal_size(STDERR_FILENO);
  if (!size) return;
  clear();
  std::string out;
  // A line that wrapped, or scrolled off, could not be removed again.
  drawn_ = std::min(lines.size(), std::max<std::size_t>(size->rows, 2) - 1);
  for (std::size_t i = 0; i < drawn_; ++i) out += cut(lines[i], std::max<std::size_t>(size->columns, 2) - 1) + "\n";
  fmt::print(stderr, "{}", out);
}

void status_lines::clear() {
  if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", drawn_);
  drawn_ = 0;
}

} // namespace penstock::cli
