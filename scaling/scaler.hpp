#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "metrics/families.hpp"
#include "scaling/controller.hpp"
#include "scaling/fleet.hpp"
#include "scaling/leader.hpp"
#include "scaling/source.hpp"
#include "scaling/workforce.hpp"

namespace penstock::scaling {

/// What a controller sees and acts with.
struct scaler_parts {
  source_ptr source;
  workforce_ptr workers; ///< not looked at where instances have no names
  fleet_ptr machines;
  std::unique_ptr<leader> lead;                                      ///< null: nobody else decides
  std::function<core::expected<std::vector<policy_ptr>>()> policies; ///< anew for each term of leading
  metrics::scaling_series shown{};
  std::function<core::time_point()> clock = [] { return core::clock::now(); };
};

/// What a round came to.
struct scaling_round {
  std::optional<decision> made; ///< none while another one decides
  std::string led_by;           ///< then; empty where nobody is known to
  std::vector<core::error> trouble;
};

/// The controller with its eyes and hands: looks, decides, acts, and shows it in metrics. What could not be done is due
/// again with the next round. It blocks for as long as its parts do. Not thread-safe.
class scaler {
 public:
  /// `acts` false: only decides, by numbers, and leaves everything as it is.
  scaler(const controller_options& options, scaler_parts parts, bool acts = true);

  /// One round, to be called once for each interval.
  [[nodiscard]] scaling_round step();

  /// Keeps the lead between two rounds; nothing where nobody else decides.
  void keep_lead();

  /// Lets another one lead at once; the fleet stays as it is. Error: the ledger's; then the lease runs out.
  [[nodiscard]] core::expected<void> stop();

 private:
  [[nodiscard]] bool is_leading(scaling_round& out);
  [[nodiscard]] bool may_act() const;
  [[nodiscard]] observation look(scaling_round& out);
  void act(const decision& made, scaling_round& out);
  void protect(scaling_round& out);
  void show(const decision& made);
  void note(const core::error& why, const metrics::counter& in, scaling_round& out) const;

  controller_options options_;
  scaler_parts parts_;
  bool acts_;
  std::optional<controller> deciding_; ///< while we lead
  controller_counts shown_;
  std::set<std::string> leaving_;   ///< workers that were asked to, so that their absence means that they have
  std::set<std::string> protected_; ///< instances
  bool has_decided_ = false;
};

} // namespace penstock::scaling
