#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::scaling {

/// One value of a metric family.
struct metric_sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;

  [[nodiscard]] std::string label(const std::string& key) const;

  bool operator==(const metric_sample&) const = default;
};

/// Reads the Prometheus text format 0.0.4, as the specification has it ("Exposition formats"), and no more: each line
/// ends with a line feed, also the last one; names, escapes, values and time stamps have their form; a family's TYPE
/// comes once and before its samples. Of what it reads it keeps the samples whose name begins with `prefix`. Errors:
/// `corrupt` with the number of the line, `too_large` for more samples or labels than any program has.
[[nodiscard]] core::expected<std::vector<metric_sample>> parse_text_format(std::string_view text,
                                                                           std::string_view prefix = {});

} // namespace penstock::scaling
