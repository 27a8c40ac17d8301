#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "cli/terminal.hpp"

namespace penstock::cli {

namespace {

constexpr std::chrono::seconds line_interval{5};
constexpr std::size_t most_bars = 12;
constexpr std::size_t bar_width = 28;

std::uint64_t settled(const actors::stream_report& stream) {
  return stream.ledger.delivered + stream.ledger.dropped_total();
}

std::string describe(const actors::stream_report& stream, core::seconds elapsed) {
  const auto done = settled(stream);
  const double rate = elapsed.count() > 0 ? static_cast<double>(done) / elapsed.count() : 0;
  const auto dropped = stream.ledger.dropped_total();
  const auto drops = dropped > 0 ? fmt::format(", {} dropped", dropped) : std::string{};
  if (stream.phase == actors::stream_phase::opening) return fmt::format("{:<20.20} opening", stream.id);
  if (!stream.finite || stream.frames == 0)
    return fmt::format("{:<20.20} {} frames, {:.0f}/s{}", stream.id, done, rate, drops);
  const double share = static_cast<double>(done) / static_cast<double>(stream.frames);
  return fmt::format("{:<20.20} {} {:3.0f} % {}/{}, {:.0f}/s{}", stream.id, bar(share, bar_width),
                     std::min(100.0, 100 * share), done, std::max(done, stream.frames), rate, drops);
}

} // namespace

progress::style progress::automatic() { return ::isatty(STDERR_FILENO) == 1 ? style::bars : style::lines; }

void progress::show(const actors::run_report& report, core::time_point now) {
  if (style_ == style::bars) show_bars(report, now);
  if (style_ == style::lines && now - last_line_ >= line_interval) show_line(report, now);
}

void progress::show_bars(const actors::run_report& report, core::time_point now) {
  clear();
  std::size_t shown = 0;
  std::size_t active = 0;
  const auto width = terminal_size(STDERR_FILENO).value_or(screen_size{}).columns;
  for (const auto& stream : report.streams) {
    if (stream.phase == actors::stream_phase::waiting || stream.phase == actors::stream_phase::finished) continue;
    if (++active > most_bars) continue;
    ++shown;
    // A line that wrapped could not be removed again; the bar's characters take three bytes each.
    auto line = describe(stream, now - began_);
    if (line.size() >= width + 2 * bar_width) line = stream.id.substr(0, 40);
    fmt::print(stderr, "{}\n", line);
  }
  drawn_lines_ = static_cast<int>(shown);
  if (active > shown) {
    fmt::print(stderr, "… and {} more\n", active - shown);
    ++drawn_lines_;
  }
}

void progress::clear() {
  if (drawn_lines_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", drawn_lines_);
  drawn_lines_ = 0;
}

void progress::show_line(const actors::run_report& report, core::time_point now) {
  std::uint64_t frames = 0;
  std::uint64_t expected = 0;
  std::uint64_t dropped = 0;
  std::size_t finished = 0;
  bool bounded = true;
  for (const auto& stream : report.streams) {
    frames += settled(stream);
    expected += stream.frames;
    dropped += stream.ledger.dropped_total();
    if (stream.phase == actors::stream_phase::finished) ++finished;
    if (!stream.finite || (stream.frames == 0 && stream.phase != actors::stream_phase::finished)) bounded = false;
  }
  const double rate = static_cast<double>(frames - last_frames_) / core::seconds{now - last_line_}.count();
  const auto of = bounded && expected >= frames ? fmt::format(" of {}", expected) : std::string{};
  fmt::print(stderr, "{}{} frames, {:.0f}/s, {} dropped; {} of {} streams finished\n", frames, of, rate, dropped,
             finished, report.streams.size());
  last_line_ = now;
  last_frames_ = frames;
}

} // namespace penstock::cli
