#pragma once

#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock::bench {

using clock = std::chrono::steady_clock;

[[nodiscard]] inline double seconds_since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

/// Writes figures as one line of JSON to a file (`-`: standard output; empty: nowhere). False where that failed.
[[nodiscard]] inline bool write_figures(const std::string& file, const nlohmann::json& figures) {
  const auto text = figures.dump() + "\n";
  if (file.empty()) return true;
  if (file == "-") return std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  std::ofstream out{file};
  return static_cast<bool>(out << text << std::flush);
}

} // namespace penstock::bench
