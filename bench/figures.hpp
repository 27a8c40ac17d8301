#pragma once

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock::bench {

/// Wall and processor time (of all threads) since it was made.
class stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count();
  }
  [[nodiscard]] double cpu_seconds() const { return cpu_now() - cpu_; }

  /// What a run of so many frames is reported as.
  [[nodiscard]] nlohmann::json figures(int frames) const {
    const auto s = seconds();
    return {{"frames", frames}, {"seconds", s}, {"cpu_seconds", cpu_seconds()}, {"frames_per_s", frames / s}};
  }

 private:
  static double cpu_now() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
  }

  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_now();
};

/// Writes figures as one line of JSON to a file (`-`: standard output; empty: nowhere). False where that failed.
[[nodiscard]] inline bool write_figures(const std::string& file, const nlohmann::json& figures) {
  const auto text = figures.dump() + "\n";
  if (file.empty()) return true;
  if (file == "-") return std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  std::ofstream out{file};
  return static_cast<bool>(out << text << std::flush);
}

} // namespace penstock::bench
