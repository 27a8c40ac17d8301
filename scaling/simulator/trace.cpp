#include "scaling/simulator/trace.hpp"

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <string_view>

namespace penstock::scaling::simulator {

namespace {

/// A trace of a month in seconds, and more.
constexpr std::size_t most_seconds = 3'000'000;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

} // namespace

core::expected<load> read_trace(std::istream& in, const std::string& name) {
  load trace;
  trace.name = std::filesystem::path{name}.stem().string();
  std::size_t line_number = 0;
  const auto wrong = [&](const std::string& what) {
    return core::fail(core::errc::corrupt, fmt::format("{}:{}: {}", name, line_number, what));
  };
  std::string line;
  while (std::getline(in, line)) {
    ++line_number;
    if (line.ends_with('\r')) line.pop_back();
    if (line_number == 1) {
      if (line != "second,arrivals") return wrong("the title is not \"second,arrivals\"");
      continue;
    }
    if (line.empty()) continue;
    const std::string_view all{line};
    const auto comma = all.find(',');
    if (comma == std::string_view::npos || all.find(',', comma + 1) != std::string_view::npos)
      return wrong(fmt::format("\"{}\" is not SECOND,ARRIVALS", line));
    const auto second = number<std::size_t>(all.substr(0, comma));
    if (!second) return wrong(fmt::format("second: \"{}\" is no whole number from 0", all.substr(0, comma)));
    const auto arrivals = number<double>(all.substr(comma + 1));
    if (!arrivals || !std::isfinite(*arrivals) || *arrivals < 0)
      return wrong(fmt::format("arrivals: \"{}\" is no number from 0", all.substr(comma + 1)));
    if (*second < trace.arrivals.size())
      return wrong(fmt::format("second {} does not follow {}", *second, trace.arrivals.size() - 1));
    if (*second >= most_seconds) return wrong(fmt::format("second {} is beyond {}", *second, most_seconds - 1));
    trace.arrivals.resize(*second, 0);
    trace.arrivals.push_back(*arrivals);
  }
  if (in.bad()) return core::fail(core::errc::io, name + ": cannot be read");
  if (line_number == 0) return wrong("the file is empty");
  if (trace.arrivals.empty()) return wrong("no second follows the title");
  trace.length_s = static_cast<double>(trace.arrivals.size());
  return trace;
}

core::expected<load> read_trace(const std::filesystem::path& file) {
  std::ifstream in{file};
  if (!in) return core::fail(core::errc::not_found, file.string() + ": cannot be opened");
  return read_trace(in, file.string());
}

} // namespace penstock::scaling::simulator
