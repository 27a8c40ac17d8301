#pragma once

#include <vector>

#include "scaling/policy.hpp"

namespace penstock::scaling::simulator {

/// Follows a plan that is known beforehand, as the optimum's: wants so many workers as any slot has until those that
/// are asked for now could work, and one decision more. Shows what of a plan can be kept in the simulator.
class planned_policy final : public policy {
 public:
  /// `workers`: by slot.
  planned_policy(std::vector<int> workers, core::seconds slot, core::seconds boot, core::seconds interval)
      : workers_{std::move(workers)}, slot_{slot}, ahead_{boot + interval} {}

  [[nodiscard]] std::string_view name() const noexcept override { return "planned"; }
  [[nodiscard]] proposal propose(const signals& seen) override;

 private:
  std::vector<int> workers_;
  core::seconds slot_;
  core::seconds ahead_;
};

} // namespace penstock::scaling::simulator
