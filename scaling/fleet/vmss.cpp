#include "scaling/fleet/vmss.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "scaling/azure/operations.hpp"
#include "scaling/azure/scale_set.hpp"

namespace penstock::scaling {
namespace {

using azure::refusal;

constexpr std::string_view growing = "the capacity";

class vmss final : public fleet {
 public:
  vmss(const vmss_options& options, std::unique_ptr<azure::arm> through)
      : options_{options}, arm_{std::move(through)}, set_{*arm_, options_.resource_id}, operations_{*arm_} {}

  [[nodiscard]] std::string_view kind() const noexcept override { return "vmss"; }

  core::expected<fleet_state> observe() override {
    follow();
    const auto model = set_.model();
    if (!model) return tl::unexpected{model.error()};
    auto listed = instances();
    if (!listed) return tl::unexpected{listed.error()};
    return fleet_state{model->capacity, std::move(*listed)};
  }

  core::expected<void> set_target(int wanted) override {
    if (wanted < 0) return core::fail(core::errc::invalid_argument, "vmss: fewer than no instances");
    follow();
    constexpr int most_readings = 4;
    for (int reading = 0; reading < most_readings; ++reading) {
      const auto model = set_.model();
      if (!model) return tl::unexpected{model.error()};
      const auto listed = instances();
      if (!listed) return tl::unexpected{listed.error()};
      const auto present = static_cast<int>(std::count_if(
          listed->begin(), listed->end(), [](const instance& each) { return each.state != instance_state::deleting; }));
      // What never came is not waited for any more; what is there goes by name only.
      const auto to = std::max(wanted, std::min(present, model->capacity));
      const auto still_grows = operations_.goes_on(growing) || model->is_changing;
      if (still_grows && to <= model->capacity) return {};
      if (to == model->capacity && present >= to) return {};
      if (to > present && no_more_until_ && arm_->now() < *no_more_until_) {
        return core::fail("not asked again yet", no_more_because_);
      }
      const auto asked = grow(*model, to);
      if (!asked) return tl::unexpected{asked.error()};
      if (*asked) return {};
    }
    return core::fail(core::errc::unavailable, options_.resource_id + ": others change it all the time");
  }

  core::expected<void> retire(const std::vector<std::string>& ids) override {
    // "*" names all instances, and so, in requests like this one, does an empty list.
    if (const auto bad = std::find_if_not(ids.begin(), ids.end(), azure::is_instance_id); bad != ids.end()) {
      return core::fail(core::errc::invalid_argument, fmt::format("vmss: \"{}\" is no instance id", *bad));
    }
    follow();
    std::set<std::string> left{ids.begin(), ids.end()};
    for (const auto& each : retiring_) left.erase(each);
    constexpr int most_tries = 3;
    for (int tries = 0; !left.empty(); ++tries) {
      const auto answer = set_.remove({left.begin(), left.end()});
      if (!answer) return tl::unexpected{answer.error()};
      if (answer->status < 300) {
        operations_.keep("retiring " + fmt::format("{}", fmt::join(left, ",")), *answer);
        retiring_.merge(left);
        return {};
      }
      const auto why = azure::read_refusal(*answer);
      if (why.why != refusal::gone || tries == most_tries) return tl::unexpected{why.as_error("retiring instances")};
      // Some of them are gone already: the others are still to go.
      const auto listed = instances();
      if (!listed) return tl::unexpected{listed.error()};
      std::erase_if(left, [&](const std::string& id) {
        return std::none_of(listed->begin(), listed->end(), [&](const instance& each) {
          return each.id == id && each.state != instance_state::deleting;
        });
      });
    }
    return {};
  }

  core::expected<void> protect(const std::string& id, bool on) override {
    if (!azure::is_instance_id(id)) {
      return core::fail(core::errc::invalid_argument, fmt::format("vmss: \"{}\" is no instance id", id));
    }
    follow();
    const auto what = fmt::format("{} instance {}", on ? "protecting" : "no longer protecting", id);
    const auto answer = set_.protect(id, on);
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status < 300) {
      operations_.keep(what, *answer);
      return {};
    }
    const auto why = azure::read_refusal(*answer);
    if (why.why == refusal::gone && !on) return {};
    return tl::unexpected{why.as_error(what)};
  }

  std::vector<core::error> problems() override { return std::exchange(problems_, {}); }

 private:
  /// True where Azure took it, false where the set has changed since it was read. Where the quota is too small for all
  /// of it, as much as it lets.
  core::expected<bool> grow(const azure::scale_set_model& model, int to) {
    const auto all = to;
    while (true) {
      const auto answer = set_.set_capacity(to, model.etag);
      if (!answer) return tl::unexpected{answer.error()};
      if (answer->status < 300) {
        operations_.keep(std::string{growing}, *answer);
        if (to < all) no_more(problems_.back());
        return true;
      }
      const auto why = azure::read_refusal(*answer);
      if (why.why == refusal::changed) return false;
      auto error = why.as_error(fmt::format("capacity {} of {}", to, options_.resource_id));
      if (why.why == refusal::quota && to - model.capacity > 1) {
        to = model.capacity + (to - model.capacity) / 2;
        if (problems_.empty() || problems_.back() != error) problems_.push_back(std::move(error));
        continue;
      }
      if (why.why == refusal::quota || why.why == refusal::capacity) no_more(error);
      return tl::unexpected{std::move(error)};
    }
  }

  void no_more(core::error because) {
    no_more_until_ = arm_->now() + options_.ask_again_after;
    no_more_because_ = std::move(because);
  }

  core::expected<std::vector<instance>> instances() {
    auto listed = set_.instances();
    if (!listed) return tl::unexpected{listed.error()};
    std::vector<instance> out;
    std::set<std::string> ids;
    for (auto& each : *listed) {
      ids.insert(each.id);
      if (!each.trouble.empty() && troubled_.insert(each.id).second) {
        problems_.push_back({core::errc::unavailable, fmt::format("instance {}: {}", each.id, each.trouble)});
      }
      // What is being deleted may be listed as what it was for a while.
      const auto state = retiring_.contains(each.id) ? instance_state::deleting : each.state;
      out.push_back({std::move(each.id), std::move(each.worker), state, each.is_protected});
    }
    const auto is_gone = [&](const std::string& id) { return !ids.contains(id); };
    std::erase_if(troubled_, is_gone);
    std::erase_if(retiring_, is_gone);
    return out;
  }

  void follow() {
    for (auto& each : operations_.follow()) {
      constexpr std::string_view retire_words = "retiring ";
      if (!each.bad) continue;
      auto error = each.bad->as_error(each.what);
      if (each.what == growing) no_more(error);
      if (each.what.starts_with(retire_words)) {
        // Those that are still there may be asked for again.
        std::string_view names{each.what};
        names.remove_prefix(retire_words.size());
        while (!names.empty()) {
          const auto end = std::min(names.find(','), names.size());
          retiring_.erase(std::string{names.substr(0, end)});
          names.remove_prefix(std::min(end + 1, names.size()));
        }
      }
      problems_.push_back(std::move(error));
    }
  }

  vmss_options options_;
  std::unique_ptr<azure::arm> arm_;
  azure::scale_set set_;
  azure::operations operations_;
  std::set<std::string> retiring_; ///< their deletion was accepted
  std::set<std::string> troubled_; ///< what is wrong with them was told
  std::optional<core::time_point> no_more_until_;
  core::error no_more_because_;
  std::vector<core::error> problems_;
};

} // namespace

core::expected<void> vmss_options::validate() const {
  const auto wrong = [](const char* key, std::string_view why) {
    return core::fail(core::errc::bad_config, fmt::format("vmss.{}: {}", key, why));
  };
  if (!azure::is_scale_set_id(resource_id)) {
    return wrong("resource_id", "must be /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Compute/"
                                "virtualMachineScaleSets/NAME, is \"" +
                                    resource_id + "\"");
  }
  const auto is_address = [](const std::string& text) {
    return (text.starts_with("https://") || text.starts_with("http://")) && !text.ends_with('/');
  };
  if (!is_address(endpoint)) return wrong("endpoint", "must be an address without a slash at its end");
  if (!is_address(identity_endpoint))
    return wrong("identity_endpoint", "must be an address without a slash at its end");
  if (patience.count() <= 0) return wrong("patience", "must be above 0");
  if (request_limit.count() <= 0) return wrong("request_limit", "must be above 0");
  if (ask_again_after.count() <= 0) return wrong("ask_again_after", "must be above 0");
  return {};
}

fleet_ptr make_vmss(const vmss_options& options, std::unique_ptr<azure::arm> through) {
  return std::make_unique<vmss>(options, std::move(through));
}

core::expected<fleet_ptr> open_vmss(const vmss_options& options) {
  if (auto valid = options.validate(); !valid) return tl::unexpected{valid.error()};
  jobs::azure::http_limits limits;
  limits.whole = options.request_limit;
  auto http = std::make_shared<jobs::azure::http_client>(limits);
  auto let_in = jobs::azure::make_managed_identity(options.identity_endpoint, options.identity_client,
                                                   "https://management.azure.com/", http);
  jobs::azure::retry_rules rules;
  rules.whole = options.patience;
  return make_vmss(options, std::make_unique<azure::arm>(options.endpoint, std::move(let_in), std::move(http),
                                                         std::move(rules), [] { return core::clock::now(); }));
}

} // namespace penstock::scaling
