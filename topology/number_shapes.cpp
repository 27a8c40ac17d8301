#include <charconv>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "topology/scalar_shapes.hpp"

namespace penstock::topology {
namespace {

using json = nlohmann::ordered_json;

/// Values that a file gives as text: `${NAME}` may stand for them too.
json with_references(json j) { return {{"anyOf", {std::move(j), {{"type", "string"}, {"pattern", R"(\$\{.+\})"}}}}}; }

template <class T>
class scalar_shape final : public shape<T> {
 public:
  struct rules {
    std::function<std::optional<T>(std::string_view)> parse;
    std::function<std::string(const T&)> print;
    std::string allowed;
    json schema;
  };

  explicit scalar_shape(rules r) : rules_{std::move(r)} {}

  bool read(const node& n, const std::string& /*path*/, T& out, read_context& /*context*/) const override {
    if (n.type != node::kind::scalar) return false;
    const auto value = rules_.parse(n.text);
    if (value) out = *value;
    return value.has_value();
  }

  node write(const T& value, path_style /*style*/) const override { return scalar(rules_.print(value)); }
  std::string allowed(const vocabulary& /*words*/) const override { return rules_.allowed; }
  json json_schema(const vocabulary& /*words*/) const override { return with_references(rules_.schema); }

 private:
  rules rules_;
};

template <class T>
shape_of<T> make(typename scalar_shape<T>::rules r) {
  return std::make_shared<scalar_shape<T>>(std::move(r));
}

template <class T>
std::optional<T> parse_all(std::string_view s) {
  T value{};
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (s.empty() || error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

template <class T>
std::optional<T> parse_number(std::string_view s) {
  const auto slash = s.find('/');
  auto value = parse_all<T>(s.substr(0, slash));
  if (value && slash != std::string_view::npos) {
    const auto divisor = parse_all<T>(s.substr(slash + 1));
    if (!divisor) return std::nullopt;
    value = *value / *divisor;
  }
  if (!value || !std::isfinite(*value)) return std::nullopt;
  return value;
}

/// The shortest text that reads as the same value; fractions such as 1/255 stay readable.
template <class T>
std::string print_number(T value) {
  constexpr std::size_t short_enough = 6;
  constexpr T largest_divisor = 65536;
  auto text = fmt::format("{}", value);
  if (text.size() <= short_enough || !(value > 0) || value < 1 / largest_divisor) return text;
  const auto divisor = std::round(1 / value);
  return 1 / divisor == value ? fmt::format("1/{}", static_cast<int>(divisor)) : text;
}

std::string range(double least, double most) {
  const auto from = std::isfinite(least);
  const auto to = std::isfinite(most);
  if (from && to) return fmt::format(" from {} to {}", least, most);
  if (from) return fmt::format(" from {}", least);
  return to ? fmt::format(" up to {}", most) : "";
}

void bound(json& j, double least, double most) {
  if (std::isfinite(least)) j["minimum"] = least;
  if (std::isfinite(most)) j["maximum"] = most;
}

template <class T>
shape_of<T> any_number(double least, double most) {
  json decimal{{"type", "number"}};
  bound(decimal, least, most);
  const json fraction{{"type", "string"}, {"pattern", R"(^-?[0-9.]+(e-?[0-9]+)?/[0-9.]+$)"}};
  return make<T>({.parse =
                      [least, most](std::string_view s) {
                        auto v = parse_number<T>(s);
                        return v && *v >= least && *v <= most ? v : std::nullopt;
                      },
                  .print = print_number<T>,
                  .allowed = "a number" + range(least, most),
                  .schema = {{"anyOf", {decimal, fraction}}}});
}

struct unit {
  std::string_view name;
  std::int64_t factor;
};

/// A number with a unit. Units go from small to large; the first has factor 1.
struct quantity {
  std::vector<unit> units;
  bool needs_unit;

  [[nodiscard]] std::optional<std::int64_t> parse(std::string_view s) const {
    constexpr double exact = 9007199254740992.0; // 2^53: every whole number up to here is a double
    const auto split = s.find_first_not_of("0123456789.");
    const auto value = parse_number<double>(s.substr(0, split));
    const auto suffix = split == std::string_view::npos ? std::string_view{} : s.substr(split);
    if (!value) return std::nullopt;
    for (const auto& u : units) {
      if (suffix != u.name && !(suffix.empty() && u.factor == 1 && (!needs_unit || *value == 0))) continue;
      const auto total = *value * static_cast<double>(u.factor);
      if (total > exact) return std::nullopt;
      return std::llround(total);
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string print(std::int64_t value) const {
    auto best = units.front();
    for (const auto& u : units) {
      if (value != 0 && value % u.factor == 0 && u.factor > best.factor) best = u;
    }
    return fmt::format("{}{}", value / best.factor, best.name);
  }

  [[nodiscard]] json schema() const {
    std::vector<std::string_view> names;
    for (const auto& u : units) names.push_back(u.name);
    const json text{{"type", "string"},
                    {"pattern", fmt::format("^[0-9.]+({}){}$", fmt::join(names, "|"), needs_unit ? "" : "?")}};
    if (needs_unit) return {{"anyOf", {text, {{"const", 0}}}}};
    return {{"anyOf", {text, {{"type", "number"}, {"minimum", 0}}}}};
  }
};

const quantity times{{{"us", 1}, {"ms", 1'000}, {"s", 1'000'000}, {"min", 60'000'000}, {"h", 3'600'000'000}}, true};
const quantity bytes{{{"B", 1},
                      {"kB", 1'000},
                      {"KiB", 1LL << 10},
                      {"MB", 1'000'000},
                      {"MiB", 1LL << 20},
                      {"GB", 1'000'000'000},
                      {"GiB", 1LL << 30}},
                     false};
const quantity pixels{{{"px", 1}, {"kpx", 1'000}, {"Mpx", 1'000'000}}, false};

shape_of<std::int64_t> whole_quantity(const quantity& q, std::int64_t least, std::int64_t most,
                                      std::string_view example) {
  const auto open = most == std::numeric_limits<std::int64_t>::max();
  return make<std::int64_t>({.parse =
                                 [&q, least, most](std::string_view s) {
                                   const auto v = q.parse(s);
                                   return v && *v >= least && *v <= most ? v : std::nullopt;
                                 },
                             .print = [&q](std::int64_t v) { return q.print(v); },
                             .allowed = fmt::format("a size such as {}, from {}{}", example, q.print(least),
                                                    open ? "" : " to " + q.print(most)),
                             .schema = q.schema()});
}

/// `HH:MM`, as minutes.
std::optional<std::chrono::minutes> parse_clock(std::string_view s, int most_hours) {
  constexpr std::size_t digits = 2;
  if (s.size() != 2 * digits + 1 || s[digits] != ':') return std::nullopt;
  if (s.find_first_not_of("0123456789:") != std::string_view::npos) return std::nullopt;
  const auto hours = parse_all<int>(s.substr(0, digits));
  const auto minutes = parse_all<int>(s.substr(digits + 1));
  if (!hours || !minutes || *minutes > 59) return std::nullopt;
  const auto total = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
  return total <= std::chrono::hours{most_hours} ? std::optional{total} : std::nullopt;
}

std::string print_clock(std::chrono::minutes value) {
  return fmt::format("{:02}:{:02}", value.count() / 60, value.count() % 60);
}

class per_channel_shape final : public shape<std::array<float, 3>> {
 public:
  bool read(const node& n, const std::string& path, std::array<float, 3>& out, read_context& context) const override {
    if (n.type != node::kind::list) {
      if (!one_->read(n, path, out[0], context)) return false;
      out.fill(out[0]);
      return true;
    }
    if (n.items.size() != out.size()) return false;
    for (std::size_t i = 0; i < out.size(); ++i) {
      read_value(*one_, n.items[i], join(path, std::to_string(i)), out[i], context);
    }
    return true;
  }

  node write(const std::array<float, 3>& value, path_style style) const override {
    if (value[0] == value[1] && value[1] == value[2]) return one_->write(value[0], style);
    node n;
    n.type = node::kind::list;
    for (const auto v : value) n.items.push_back(one_->write(v, style));
    return n;
  }

  std::string allowed(const vocabulary& /*words*/) const override { return "a number, or a list of 3 numbers"; }

  json json_schema(const vocabulary& words) const override {
    const auto one = one_->json_schema(words);
    return {{"anyOf", {one, {{"type", "array"}, {"items", one}, {"minItems", 3}, {"maxItems", 3}}}}};
  }

 private:
  shape_of<float> one_ = number_f32();
};

class size_shape final : public shape<size_px> {
 public:
  bool read(const node& n, const std::string& path, size_px& out, read_context& context) const override {
    if (n.type != node::kind::list || n.items.size() != 2) return false;
    read_value(*side_, n.items[0], join(path, "0"), out.width, context);
    read_value(*side_, n.items[1], join(path, "1"), out.height, context);
    return true;
  }

  node write(const size_px& value, path_style style) const override {
    node n;
    n.type = node::kind::list;
    n.items = {side_->write(value.width, style), side_->write(value.height, style)};
    return n;
  }

  std::string allowed(const vocabulary& /*words*/) const override { return "[WIDTH, HEIGHT] in pixels"; }

  json json_schema(const vocabulary& words) const override {
    return {{"type", "array"}, {"items", side_->json_schema(words)}, {"minItems", 2}, {"maxItems", 2}};
  }

 private:
  shape_of<int> side_ = whole(1, 16384);
};

} // namespace

shape_of<bool> boolean() {
  return make<bool>({.parse = [](std::string_view s) -> std::optional<bool> {
                       if (s == "true") return true;
                       if (s == "false") return false;
                       return std::nullopt;
                     },
                     .print = [](bool v) { return std::string{v ? "true" : "false"}; },
                     .allowed = "true, false",
                     .schema = {{"type", "boolean"}}});
}

shape_of<int> whole(int least, int most) {
  const auto open = most == std::numeric_limits<int>::max();
  json j{{"type", "integer"}, {"minimum", least}};
  if (!open) j["maximum"] = most;
  return make<int>({.parse =
                        [least, most](std::string_view s) {
                          const auto v = parse_all<int>(s);
                          return v && *v >= least && *v <= most ? v : std::nullopt;
                        },
                    .print = [](int v) { return std::to_string(v); },
                    .allowed = open ? fmt::format("a whole number from {}", least)
                                    : fmt::format("a whole number from {} to {}", least, most),
                    .schema = std::move(j)});
}

shape_of<double> number(double least, double most) { return any_number<double>(least, most); }

shape_of<float> number_f32(double least, double most) { return any_number<float>(least, most); }

shape_of<duration> time_span(duration least) {
  return make<duration>({.parse = [least](std::string_view s) -> std::optional<duration> {
                           const auto v = times.parse(s);
                           if (!v || *v < least.count()) return std::nullopt;
                           return duration{*v};
                         },
                         .print = [](const duration& v) { return times.print(v.count()); },
                         .allowed = fmt::format("a time such as 4ms, 3s or 5min, from {}", times.print(least.count())),
                         .schema = times.schema()});
}

shape_of<std::chrono::minutes> time_of_day() {
  return make<std::chrono::minutes>(
      {.parse = [](std::string_view s) { return parse_clock(s, 24); },
       .print = print_clock,
       .allowed = "a time of day such as 08:30, up to 24:00",
       .schema = {{"type", "string"}, {"pattern", "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"}}});
}

shape_of<std::chrono::minutes> utc_offset() {
  return make<std::chrono::minutes>(
      {.parse = [](std::string_view s) -> std::optional<std::chrono::minutes> {
         if (s == "Z") return std::chrono::minutes{0};
         if (!s.starts_with('+') && !s.starts_with('-')) return std::nullopt;
         const auto size = parse_clock(s.substr(1), 14);
         return size && s.front() == '-' ? std::optional{-*size} : size;
       },
       .print =
           [](std::chrono::minutes v) {
             if (v.count() == 0) return std::string{"Z"};
             return fmt::format("{}{}", v.count() < 0 ? '-' : '+', print_clock(v.count() < 0 ? -v : v));
           },
       .allowed = "Z, or an offset such as +02:00",
       .schema = {{"type", "string"}, {"pattern", "^(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"}}});
}

shape_of<std::int64_t> byte_count(std::int64_t least, std::int64_t most) {
  return whole_quantity(bytes, least, most, "64MiB");
}

shape_of<std::int64_t> pixel_count(std::int64_t least) {
  return whole_quantity(pixels, least, std::numeric_limits<std::int64_t>::max(), "64Mpx");
}

shape_of<std::array<float, 3>> per_channel() { return std::make_shared<per_channel_shape>(); }

shape_of<size_px> size() { return std::make_shared<size_shape>(); }

} // namespace penstock::topology
