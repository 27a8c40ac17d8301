#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace penstock::cli {

/// A column of a table. Where a terminal is too narrow, texts are shortened first, to `least` columns; then columns are
/// left out, those with the largest `rank` first. Rank 0 always stays.
struct column {
  std::string title;
  bool right = false; ///< numbers
  int rank = 0;
  std::size_t least = 0; ///< 0: never shortened
};

struct table_line {
  std::string text;
  bool title = false;
  bool alert = false; ///< something is wrong with it
};

/// Rows of printable text under titles.
class table {
 public:
  explicit table(std::vector<column> columns) : columns_{std::move(columns)} {}

  /// One cell for each column.
  void add(std::vector<std::string> cells, bool alert = false);

  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }

  /// The titles and the rows, none wider than `width` columns. Of more rows than `most_rows` the last line says how
  /// many are not shown.
  [[nodiscard]] std::vector<table_line> lines(std::optional<std::size_t> width = {},
                                              std::optional<std::size_t> most_rows = {}) const;

 private:
  struct row {
    std::vector<std::string> cells;
    bool alert = false;
  };
  struct chosen {
    std::size_t index = 0;
    std::size_t width = 0;
  };
  [[nodiscard]] std::vector<chosen> fit(std::optional<std::size_t> width) const;
  [[nodiscard]] std::string line_of(const std::vector<std::string>& cells, const std::vector<chosen>& shown) const;

  std::vector<column> columns_;
  std::vector<row> rows_;
};

} // namespace penstock::cli
