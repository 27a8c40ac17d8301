#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scaling/controller.hpp"

namespace penstock::scaling::test {

using namespace std::chrono_literals;

inline const core::time_point start{std::chrono::hours{1}};

/// A policy that wants what it is told.
class told_policy final : public policy {
 public:
  explicit told_policy(std::shared_ptr<int> wanted, std::string why = "told so")
      : wanted_{std::move(wanted)}, why_{why} {}

  [[nodiscard]] std::string_view name() const noexcept override { return "told"; }
  [[nodiscard]] proposal propose(const signals&) override { return {*wanted_, why_}; }

 private:
  std::shared_ptr<int> wanted_;
  std::string why_;
};

/// A fleet and its workers, moved by hand; a controller that is asked about them every ten seconds.
class stage {
 public:
  explicit stage(const controller_options& options) : decider{options, make_policies(wanted)} {}

  /// An instance whose worker is in some stage.
  void add(const std::string& id, worker_stage at = worker_stage::ready, int leases = 0) {
    fleet.instances.push_back({id, "w-" + id, instance_state::running, false});
    workers.push_back({"w-" + id, at, leases});
    fleet.target = std::max(fleet.target, static_cast<int>(fleet.instances.size()));
  }
  /// One that still boots.
  void boot(const std::string& id) {
    fleet.instances.push_back({id, "", instance_state::provisioning, false});
    fleet.target = std::max(fleet.target, static_cast<int>(fleet.instances.size()));
  }
  void remove(const std::string& id) {
    std::erase_if(fleet.instances, [&](const instance& i) { return i.id == id; });
    std::erase_if(workers, [&](const worker_view& w) { return w.name == "w-" + id; });
  }
  instance& of(const std::string& id) {
    return *std::find_if(fleet.instances.begin(), fleet.instances.end(), [&](const instance& i) { return i.id == id; });
  }
  worker_view& worker(const std::string& id) {
    return *std::find_if(workers.begin(), workers.end(), [&](const worker_view& w) { return w.name == "w-" + id; });
  }

  [[nodiscard]] observation seen() const {
    signals fresh;
    fresh.at = now;
    return {fresh, fleet, workers};
  }

  decision decide(core::seconds later = 10s) {
    now += std::chrono::duration_cast<core::clock::duration>(later);
    return decider.decide(now, seen());
  }

  std::shared_ptr<int> wanted = std::make_shared<int>(1);
  core::time_point now = start;
  fleet_state fleet;
  std::vector<worker_view> workers;
  controller decider;

 private:
  static std::vector<policy_ptr> make_policies(const std::shared_ptr<int>& wanted) {
    std::vector<policy_ptr> out;
    out.push_back(std::make_unique<told_policy>(wanted));
    return out;
  }
};

} // namespace penstock::scaling::test
