#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

struct screen_size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// The size of the terminal behind a descriptor (80 × 24 where it does not say); nothing if that is no terminal.
[[nodiscard]] std::optional<screen_size> terminal_size(int fd);

/// A bar of so many columns, filled from the left; `share` is 0 to 1.
[[nodiscard]] std::string bar(double share, std::size_t columns);

/// Text from outside for a terminal: what is not UTF-8, controls and marks that turn the writing's direction become
/// '?', so that it can neither move the cursor nor break a line.
[[nodiscard]] std::string printable(std::string_view text);

/// Columns that printable text takes: 2 for a wide character, 0 for a combining one.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// Printable text in at most so many columns; the end of longer text becomes an ellipsis.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

/// Lines at the end of standard error that are drawn again and again. Nothing else may be written there in between
/// without `clear`. Draws nothing where standard error is no terminal.
class status_lines {
 public:
  status_lines() = default;
  ~status_lines() { clear(); }
  status_lines(const status_lines&) = delete;
  status_lines& operator=(const status_lines&) = delete;

  void show(const std::vector<std::string>& lines);
  void clear();

 private:
  std::size_t drawn_ = 0;
};

} // namespace penstock::cli
