#include "scaling/simulator/plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::scaling::simulator {

namespace {

constexpr double width = 960;
constexpr double left = 70;
constexpr double right = 36; // half of the last label of the times
constexpr double panel_height = 130;
constexpr double gap = 46;
constexpr std::size_t most_points = 800; // more cannot be seen

/// On white and on black each has a contrast of 3 : 1 or more, the grey of texts 4 : 1.
constexpr std::string_view grey = "#7d7d7d";
constexpr std::array<std::string_view, 6> colours{"#1f86d1", "#d96b0b", "#169b62", "#c9518f", "#8b6fd6", "#9a8410"};

using points = std::vector<std::pair<double, double>>;

struct line {
  points at;
  std::string_view colour;
  bool steps = false;
  bool dashed = false;
  double stroke = 1.6;
};

struct panel {
  std::string title;
  std::vector<line> lines;
  double mark = 0; ///< a horizontal line; 0: none
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
    case '<': out += "&lt;"; break;
    case '>': out += "&gt;"; break;
    case '&': out += "&amp;"; break;
    case '"': out += "&quot;"; break;
    default: out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

/// The highest of each group of neighbours, where there are too many.
points thinned(const points& all) {
  const auto group = all.size() / most_points + 1;
  points some;
  for (std::size_t i = 0; i < all.size(); i += group) {
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(i + group, all.size()));
    some.push_back(*std::max_element(all.begin() + static_cast<std::ptrdiff_t>(i), end,
                                     [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  return some;
}

/// A distance between ticks that is 1, 2 or 5 times a power of ten, for at most `most` of them.
double tick_of(double range, int most) {
  const auto least = range / most;
  const auto power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= least) return factor * power;
  return 10 * power;
}

class picture {
 public:
  picture(double length_s, std::size_t panels, std::size_t legend_lines)
      : length_s_{length_s}, top_{30 + 18 * static_cast<double>(legend_lines)}, height_{top_ +
                                                                                        static_cast<double>(panels) *
                                                                                            (panel_height + gap) +
                                                                                        20} {
    write(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0f} {:.0f}" font-family="sans-serif" )"
          R"(font-size="12" fill="{}">)"
          "\n",
          width, height_, grey);
  }

  void legend(std::size_t row, std::string_view colour, bool dashed, std::string_view text) {
    const auto y = 22 + 18 * static_cast<double>(row);
    write(R"(<line x1="{:.0f}" y1="{:.0f}" x2="{:.0f}" y2="{:.0f}" stroke="{}" stroke-width="2"{}/>)", left, y - 4,
          left + 28, y - 4, colour, dashed ? R"( stroke-dasharray="5 3")" : "");
    write("<text x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n", left + 36, y, escaped(text));
  }

  void draw(const panel& p) {
    top_ += 22;
    double high = p.mark * 1.2;
    for (const auto& l : p.lines)
      for (const auto& [_, y] : l.at) high = std::max(high, y);
    if (high <= 0) high = 1;
    const auto tick = tick_of(high * 1.02, 5);
    high = std::ceil(high * 1.02 / tick - 1e-9) * tick;
    write("<text x=\"{:.0f}\" y=\"{:.1f}\" font-weight=\"bold\">{}</text>\n", left, top_ - 7, escaped(p.title));
    for (int i = 0; i * tick <= high * (1 + 1e-9); ++i) rule(y_of(i * tick, high), fmt::format("{:g}", i * tick));
    times();
    if (p.mark > 0) {
      const auto y = y_of(p.mark, high);
      write(R"(<line x1="{:.0f}" y1="{:.1f}" x2="{:.0f}" y2="{:.1f}" stroke="{}" stroke-dasharray="2 3"/>)"
            "\n",
            left, y, width - right, y, grey);
    }
    for (const auto& l : p.lines) draw(l, high);
    top_ += panel_height + gap - 22;
  }

  [[nodiscard]] std::string end() && {
    text_ += "</svg>\n";
    return std::move(text_);
  }

 private:
  template <class... Ts>
  void write(fmt::format_string<Ts...> format, Ts&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Ts>(values)...);
  }

  [[nodiscard]] double x_of(double at_s) const noexcept { return left + at_s / length_s_ * (width - left - right); }
  [[nodiscard]] double y_of(double value, double high) const noexcept {
    return top_ + panel_height * (1 - value / high);
  }

  void rule(double y, std::string_view label) {
    write(R"(<line x1="{:.0f}" y1="{:.1f}" x2="{:.0f}" y2="{:.1f}" stroke="{}" stroke-opacity="0.3"/>)", left, y,
          width - right, y, grey);
    write("<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 8, y + 4, label);
  }

  void times() {
    const bool hours = length_s_ > 4 * 3600;
    const auto unit = hours ? 3600.0 : 60.0;
    const auto tick = tick_of(length_s_ / unit, 12);
    for (int i = 0; i * tick * unit <= length_s_ * (1 + 1e-9); ++i)
      write("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:g}{}</text>\n", x_of(i * tick * unit),
            top_ + panel_height + 16, i * tick, hours ? " h" : " min");
  }

  void draw(const line& l, double high) {
    const auto some = thinned(l.at);
    if (some.empty()) return;
    write(R"(<polyline fill="none" stroke="{}" stroke-width="{}"{} points=")", l.colour, l.stroke,
          l.dashed ? R"( stroke-dasharray="5 3")" : "");
    std::vector<double> ys; // as they are written
    for (const auto& [_, value] : some) ys.push_back(std::round(10 * y_of(value, high)) / 10);
    for (std::size_t i = 0; i < ys.size(); ++i) {
      if (i > 0 && i + 1 < ys.size() && ys[i - 1] == ys[i] && ys[i] == ys[i + 1]) continue; // between its neighbours
      const auto x = x_of(some[i].first);
      if (l.steps && i > 0 && ys[i - 1] != ys[i]) write("{:.1f},{:.1f} ", x, ys[i - 1]);
      write("{:.1f},{:.1f} ", x, ys[i]);
    }
    write("\"/>\n");
  }

  double length_s_;
  double top_;
  double height_;
  std::string text_;
};

template <class F>
points over_time(const results& run, F&& value) {
  points all;
  for (const auto& m : run.moments) all.emplace_back(m.at_s, static_cast<double>(value(m)));
  return all;
}

} // namespace

std::string to_svg(const comparison& all) {
  panel demand{"Demand: items per second", {}, 0};
  panel workers{"Workers: there, and wanted (dashed)", {}, 0};
  panel backlog{"Backlog: items that wait for a worker", {}, 0};
  panel latency{fmt::format("Latency: 95 % of an interval's items, in seconds (objective {:g} s)", all.objective_s),
                {},
                all.objective_s};
  panel cost{"Cost, so far", {}, 0};
  double length_s = 1;
  if (all.best) {
    line plan{{}, grey, true, false, 1.2};
    for (std::size_t t = 0; t < all.best->workers.size(); ++t)
      plan.at.emplace_back(static_cast<double>(t) * all.slot_s, all.best->workers[t]);
    workers.lines.push_back(std::move(plan));
  }
  for (std::size_t i = 0; i < all.runs.size(); ++i) {
    const auto& run = all.runs[i];
    const auto colour = colours[i % colours.size()];
    length_s = std::max(length_s, run.length_s);
    if (i == 0) demand.lines.push_back({over_time(run, [](const moment& m) { return m.arrivals_per_s; }), grey});
    workers.lines.push_back({over_time(run, [](const moment& m) { return m.ready; }), colour, true});
    workers.lines.push_back({over_time(run, [](const moment& m) { return m.wanted; }), colour, true, true, 1.0});
    backlog.lines.push_back({over_time(run, [](const moment& m) { return m.backlog; }), colour});
    latency.lines.push_back({over_time(run, [](const moment& m) { return m.latency_s; }), colour});
    cost.lines.push_back({over_time(run, [](const moment& m) { return m.cost; }), colour});
  }
  picture drawn{length_s, 5, all.runs.size() + (all.best ? 1 : 0)};
  for (std::size_t i = 0; i < all.runs.size(); ++i) {
    const auto& run = all.runs[i];
    drawn.legend(i, colours[i % colours.size()], false,
                 fmt::format("{}: {:.2f} % within {:g} s, cost {:.2f}", run.policy, 100 * run.within_share(),
                             all.objective_s, run.cost));
  }
  if (all.best)
    drawn.legend(all.runs.size(), grey, false,
                 fmt::format("clairvoyant plan, cost at least {:.2f}", all.best->bound_s / 3600 * all.price_per_h));
  for (const auto* p : {&demand, &workers, &backlog, &latency, &cost}) drawn.draw(*p);
  return std::move(drawn).end();
}

} // namespace penstock::scaling::simulator
