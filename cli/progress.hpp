#pragma once

#include <string>

#include "actors/run_report.hpp"
#include "core/time.hpp"

namespace penstock::cli {

/// Shows on standard error how far a run is: a bar per finite stream on a terminal, otherwise a line every few seconds.
class progress {
 public:
  enum class style : unsigned char { bars, lines, none };

  /// `automatic`: bars on a terminal, lines elsewhere.
  [[nodiscard]] static style automatic();

  progress(style how, core::time_point now) : style_{how}, began_{now}, last_line_{now} {}

  void show(const actors::run_report& report, core::time_point now);
  /// Removes what should not stay on the screen.
  void clear();

 private:
  void show_bars(const actors::run_report& report, core::time_point now);
  void show_line(const actors::run_report& report, core::time_point now);

  style style_;
  core::time_point began_;
  core::time_point last_line_;
  std::uint64_t last_frames_ = 0;
  int drawn_lines_ = 0;
};

} // namespace penstock::cli
