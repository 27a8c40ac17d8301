#include "scaling/simulator/options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace penstock::scaling::simulator {

namespace {

core::expected<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return core::fail(core::errc::invalid_argument, fmt::format("\"{}\" is no number", text));
  return value;
}

core::expected<double> bounded(core::expected<double> value, double least, double most) {
  if (!value) return value;
  if (*value < least) return core::fail(core::errc::invalid_argument, fmt::format("{} is below {}", *value, least));
  if (*value > most) return core::fail(core::errc::invalid_argument, fmt::format("{} is above {}", *value, most));
  return value;
}

core::expected<double> whole_number(std::string_view text, double least, double most) {
  auto value = bounded(parse_number(text), least, most);
  if (value && *value != std::floor(*value))
    return core::fail(core::errc::invalid_argument, fmt::format("{} is no whole number", text));
  return value;
}

/// Puts a value where it goes, or hands the error on.
template <class T>
core::expected<void> put(const core::expected<double>& value, T& to) {
  if (!value) return tl::unexpected{value.error()};
  to = static_cast<T>(*value);
  return {};
}

} // namespace

core::expected<double> parse_duration(std::string_view text) {
  using unit = std::pair<std::string_view, double>;
  for (const auto& [name, seconds] : {unit{"ms", 1e-3}, unit{"s", 1}, unit{"m", 60}, unit{"h", 3600}}) {
    if (!text.ends_with(name)) continue;
    const auto value = parse_number(text.substr(0, text.size() - name.size()));
    if (!value) break;
    return *value * seconds;
  }
  if (const auto value = parse_number(text)) return *value;
  return core::fail(core::errc::invalid_argument,
                    fmt::format("\"{}\" is no duration, such as 20ms, 240s, 4m, 1h", text));
}

options& options::add(std::string key, reader how) {
  readers_.emplace_back(std::move(key), std::move(how));
  return *this;
}

options& options::number(std::string key, double& to, double least, double most) {
  return add(std::move(key),
             [&to, least, most](std::string_view text) { return put(bounded(parse_number(text), least, most), to); });
}

options& options::whole(std::string key, double& to, double least, double most) {
  return add(std::move(key),
             [&to, least, most](std::string_view text) { return put(whole_number(text, least, most), to); });
}

options& options::whole(std::string key, int& to, int least, int most) {
  return add(std::move(key),
             [&to, least, most](std::string_view text) { return put(whole_number(text, least, most), to); });
}

options& options::duration(std::string key, double& to_s, double least_s) {
  return add(std::move(key), [&to_s, least_s](std::string_view text) {
    return put(bounded(parse_duration(text), least_s, unbounded), to_s);
  });
}

options& options::durations(std::string key, double& from_s, double& to_s) {
  return add(std::move(key), [&](std::string_view text) -> core::expected<void> {
    const auto dots = text.find("..");
    const auto from = bounded(parse_duration(text.substr(0, dots)), 0, unbounded);
    const auto to =
        dots == std::string_view::npos ? from : bounded(parse_duration(text.substr(dots + 2)), 0, unbounded);
    if (!from) return tl::unexpected{from.error()};
    if (!to) return tl::unexpected{to.error()};
    if (*to < *from) return core::fail(core::errc::invalid_argument, fmt::format("{} ends before it begins", text));
    from_s = *from;
    to_s = *to;
    return {};
  });
}

options& options::price(std::string key, double& per_h) {
  return add(std::move(key), [&per_h](std::string_view text) {
    return put(bounded(parse_number(text.ends_with("/h") ? text.substr(0, text.size() - 2) : text), 0, unbounded),
               per_h);
  });
}

options& options::choice(std::string key, bool& second, std::pair<std::string, std::string> names) {
  return add(std::move(key), [&second, names = std::move(names)](std::string_view text) -> core::expected<void> {
    if (text != names.first && text != names.second)
      return core::fail(core::errc::invalid_argument,
                        fmt::format("\"{}\" is neither {} nor {}", text, names.first, names.second));
    second = text == names.second;
    return {};
  });
}

core::expected<void> options::read(std::string_view text) const {
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const auto equals = part.find('=');
    const auto key = part.substr(0, equals);
    const auto found = std::ranges::find(readers_, key, &std::pair<std::string, reader>::first);
    if (found == readers_.end() || equals == std::string_view::npos) {
      std::string known;
      for (const auto& [name, _] : readers_) known += (known.empty() ? "" : ", ") + name;
      return core::fail(core::errc::invalid_argument,
                        equals == std::string_view::npos
                            ? fmt::format("\"{}\" is not KEY=VALUE", part)
                            : fmt::format("\"{}\" is no key here; there are {}", key, known));
    }
    if (const auto done = found->second(part.substr(equals + 1)); !done) return core::fail(key, done.error());
  }
  return {};
}

} // namespace penstock::scaling::simulator
