#include "scaling/fleet/advise.hpp"

#include <optional>
#include <utility>

namespace penstock::scaling {
namespace {

class advise final : public fleet {
 public:
  advise(std::string role, std::unique_ptr<azure::custom_metrics> tell)
      : role_{std::move(role)}, tell_{std::move(tell)} {}

  [[nodiscard]] std::string_view kind() const noexcept override { return "advise"; }

  core::expected<fleet_state> observe() override {
    // What holds is said again and again, for who listens forgets it within minutes.
    if (wanted_) tell(*wanted_);
    return fleet_state{wanted_.value_or(0), {}};
  }

  core::expected<void> set_target(int instances) override {
    if (instances < 0) return core::fail(core::errc::invalid_argument, "advise: fewer than no instances");
    wanted_ = instances;
    tell(instances);
    return {};
  }

  core::expected<void> retire(const std::vector<std::string>& ids) override {
    if (ids.empty()) return {};
    return core::fail(core::errc::unsupported, "advise: has no instances that could be retired");
  }

  core::expected<void> protect(const std::string&, bool) override { return {}; }

  std::vector<core::error> problems() override { return std::exchange(problems_, {}); }

 private:
  /// That the advice was not heard is no reason to give none.
  void tell(int instances) {
    if (!tell_) return;
    tell_->add("wanted_workers", role_, instances);
    if (auto told = tell_->flush(); !told) problems_.push_back(told.error());
  }

  std::string role_;
  std::unique_ptr<azure::custom_metrics> tell_;
  std::optional<int> wanted_;
  std::vector<core::error> problems_;
};

} // namespace

core::expected<void> advise_options::validate() const {
  if (role.empty()) return core::fail(core::errc::bad_config, "advise.role: must not be empty");
  if (azure_monitor) {
    if (auto valid = azure_monitor->validate(); !valid) return core::fail("advise", valid.error());
  }
  return {};
}

fleet_ptr make_advise(const advise_options& options, std::unique_ptr<azure::custom_metrics> tell) {
  return std::make_unique<advise>(options.role, std::move(tell));
}

core::expected<fleet_ptr> open_advise(const advise_options& options) {
  if (auto valid = options.validate(); !valid) return tl::unexpected{valid.error()};
  if (!options.azure_monitor) return make_advise(options, nullptr);
  jobs::azure::http_limits limits;
  limits.whole = std::chrono::seconds{15};
  auto http = std::make_shared<jobs::azure::http_client>(limits);
  auto let_in = jobs::azure::make_managed_identity(options.identity_endpoint, options.identity_client,
                                                   "https://monitoring.azure.com/", http);
  jobs::azure::retry_rules rules;
  rules.whole = std::chrono::seconds{10};
  return make_advise(options, std::make_unique<azure::custom_metrics>(
                                  *options.azure_monitor, std::move(let_in), std::move(http), std::move(rules), [] {
                                    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
                                  }));
}

} // namespace penstock::scaling
