#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "scaling/policy.hpp"
#include "scaling/simulator/simulation.hpp"

namespace penstock::scaling::test {

/// Wants what a function of the signals says.
class said final : public policy {
 public:
  using function = std::function<int(const signals&)>;
  explicit said(function how) : how_{std::move(how)} {}

  [[nodiscard]] std::string_view name() const noexcept override { return "said"; }
  [[nodiscard]] proposal propose(const signals& seen) override { return {how_(seen), "a test says so"}; }

 private:
  function how_;
};

inline simulator::results simulate(const simulator::scenario& what, said::function how) {
  std::vector<policy_ptr> policies;
  policies.push_back(std::make_unique<said>(std::move(how)));
  return simulator::simulate(what, std::move(policies));
}

/// As many workers all the time as there are at the beginning.
inline simulator::results simulate_fixed(const simulator::scenario& what) {
  return simulate(what, [n = what.machines.initial](const signals&) { return n; });
}

/// Workers that do 20 items a second, one at a time.
inline simulator::scenario plain(simulator::load demand, int workers) {
  simulator::scenario what;
  what.demand = std::move(demand);
  what.service.fixed_s = 0;
  what.service.per_item_s = 0.05;
  what.service.overhead_s = 0;
  what.machines.initial = workers;
  what.controlling.min = 0;
  what.controlling.max = 1000;
  what.controlling.max_step = 1000;
  return what;
}

} // namespace penstock::scaling::test
