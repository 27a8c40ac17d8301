#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "scaling/policy.hpp"

namespace penstock::scaling {

enum class threshold_metric : std::uint8_t {
  utilisation, ///< busy share of ready workers, 0 to 1
  backlog,     ///< seconds of waiting work
  oldest,      ///< seconds that the oldest item has waited
  late_share,  ///< of items, 0 to 1
};

enum class threshold_operator : std::uint8_t { above, at_least, below, at_most };

/// Name in the topology, e.g. "late_share", "at_least".
[[nodiscard]] std::string_view to_string(threshold_metric metric) noexcept;
[[nodiscard]] std::string_view to_string(threshold_operator compare) noexcept;

struct threshold_rule {
  threshold_metric metric = threshold_metric::utilisation;
  threshold_operator compare = threshold_operator::above;
  double threshold = 0.75;
  core::seconds duration{600}; ///< the metric's mean over it is compared
  core::seconds cooldown{300}; ///< since the last change, whichever rule made it
  int step = 1;                ///< workers that come or go

  bool operator==(const threshold_rule&) const = default;
};

struct threshold_options {
  std::vector<threshold_rule> out{{}};
  std::vector<threshold_rule> in{{.compare = threshold_operator::below, .threshold = 0.25}};

  /// Error: `bad_config`, which names the rule and its option.
  [[nodiscard]] core::expected<void> validate() const;
};

/// The classic rules of scale sets. Out if any of its rules holds, by the largest of their steps; in only if all of its
/// rules hold, by the smallest, and by fewer or not at all where that would flap: where an out-rule's metric, taken to
/// grow as the workers get fewer, would hold at once (as Azure's autoscale checks it). A rule holds only once its whole
/// duration has been seen, and never acts within its cooldown.
class threshold_policy final : public policy {
 public:
  explicit threshold_policy(threshold_options options);

  [[nodiscard]] std::string_view name() const noexcept override { return "threshold"; }
  [[nodiscard]] proposal propose(const signals& seen) override;

 private:
  struct sample {
    core::time_point at;
    double values[4];
  };

  [[nodiscard]] std::optional<double> mean(const threshold_rule& rule) const;
  [[nodiscard]] bool may_act(const threshold_rule& rule, core::time_point now) const;
  [[nodiscard]] bool would_flap(int have, int fewer) const;
  /// Nothing if no rule holds.
  [[nodiscard]] std::optional<proposal> go_out(const signals& seen, int have);
  [[nodiscard]] proposal go_in(const signals& seen, int have);

  threshold_options options_;
  core::seconds longest_{0};
  std::deque<sample> samples_;
  std::optional<core::time_point> changed_at_;
};

} // namespace penstock::scaling
