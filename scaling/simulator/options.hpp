#pragma once

#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace penstock::scaling::simulator {

/// Reads `KEY=VALUE,KEY=VALUE` as the simulator's arguments have it. Each key is declared with where its value goes;
/// what is not given keeps its value.
class options {
 public:
  static constexpr double unbounded = std::numeric_limits<double>::infinity();

  options& number(std::string key, double& to, double least = 0, double most = unbounded);
  options& whole(std::string key, double& to, double least = 0, double most = unbounded);
  options& whole(std::string key, int& to, int least = 0, int most = std::numeric_limits<int>::max());
  /// `240s`, `4m`, `1.5h`, `20ms`; a number alone is seconds.
  options& duration(std::string key, double& to_s, double least_s = 0);
  /// `180s..300s`, or one duration for both ends.
  options& durations(std::string key, double& from_s, double& to_s);
  /// Money per hour: `0.9/h`, or a number alone.
  options& price(std::string key, double& per_h);
  /// The first of the names is false.
  options& choice(std::string key, bool& second, std::pair<std::string, std::string> names);

  /// Errors: `invalid_argument`, which names the key, the value found and what is allowed.
  [[nodiscard]] core::expected<void> read(std::string_view text) const;

 private:
  using reader = std::function<core::expected<void>(std::string_view)>;
  options& add(std::string key, reader how);

  std::vector<std::pair<std::string, reader>> readers_;
};

/// A duration as `options::duration` reads it, in seconds.
[[nodiscard]] core::expected<double> parse_duration(std::string_view text);

} // namespace penstock::scaling::simulator
