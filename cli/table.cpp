#include "cli/table.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "cli/terminal.hpp"

namespace penstock::cli {

namespace {

constexpr std::size_t gap = 2; // columns between two of the table

} // namespace

void table::add(std::vector<std::string> cells, bool alert) {
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), alert});
}

std::vector<table::chosen> table::fit(std::optional<std::size_t> width) const {
  std::vector<chosen> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    auto widest = columns_of(columns_[i].title);
    for (const auto& r : rows_) widest = std::max(widest, columns_of(r.cells[i]));
    shown.push_back({i, widest});
  }
  if (!width) return shown;
  const auto total = [](const std::vector<chosen>& of) {
    std::size_t sum = of.empty() ? 0 : gap * (of.size() - 1);
    for (const auto& c : of) sum += c.width;
    return sum;
  };
  for (;;) {
    auto fitted = shown;
    while (total(fitted) > *width) {
      // The widest of those that can be shortened loses a column.
      chosen* widest = nullptr;
      for (auto& c : fitted) {
        const auto least = columns_[c.index].least;
        const auto floor = std::max(least, columns_of(columns_[c.index].title));
        if (least > 0 && c.width > floor && (widest == nullptr || c.width > widest->width)) widest = &c;
      }
      if (widest == nullptr) break;
      --widest->width;
    }
    if (total(fitted) <= *width) return fitted;
    const auto rank = [this](const chosen& a, const chosen& b) {
      return columns_[a.index].rank < columns_[b.index].rank;
    };
    const auto last = std::ranges::max_element(shown, rank);
    if (last == shown.end() || columns_[last->index].rank == 0) return fitted;
    shown.erase(last);
  }
}

std::string table::line_of(const std::vector<std::string>& cells, const std::vector<chosen>& shown) const {
  std::string out;
  for (const auto& c : shown) {
    const auto text = cut(cells[c.index], c.width);
    const std::string blank(c.width - columns_of(text), ' ');
    if (&c != shown.data()) out.append(gap, ' ');
    out += columns_[c.index].right ? blank + text : text + blank;
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

std::vector<table_line> table::lines(std::optional<std::size_t> width, std::optional<std::size_t> most_rows) const {
  const auto shown = fit(width);
  const auto narrow = [&](std::string text) { return width ? cut(text, *width) : text; };
  std::vector<std::string> titles;
  for (const auto& c : columns_) titles.push_back(c.title);
  std::vector<table_line> out{{narrow(line_of(titles, shown)), true, false}};
  const auto most = most_rows.value_or(rows_.size());
  const auto printed = rows_.size() <= most ? rows_.size() : most - std::min<std::size_t>(most, 1);
  for (std::size_t i = 0; i < printed; ++i)
    out.push_back({narrow(line_of(rows_[i].cells, shown)), false, rows_[i].alert});
  if (printed < rows_.size())
    out.push_back({narrow(fmt::format("… and {} more", rows_.size() - printed)), false, false});
  return out;
}

} // namespace penstock::cli
