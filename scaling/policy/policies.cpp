#include "scaling/policy/policies.hpp"

#include <array>
#include <memory>

namespace penstock::scaling {

namespace {

using made = core::expected<policy_ptr>;

struct line {
  std::string_view name;
  made (*make)(const policy_options&, const calendar&);
};

template <class Policy, class Options, class... Rest>
made make(const Options& options, const Rest&... rest) {
  return options.validate().map([&]() -> policy_ptr { return std::make_unique<Policy>(options, rest...); });
}

/// A policy: its file, its options, and a line here.
constexpr std::array policies{
    line{"rate", [](const policy_options& o, const calendar&) { return make<rate_policy>(o.rate); }},
    line{"threshold", [](const policy_options& o, const calendar&) { return make<threshold_policy>(o.threshold); }},
    line{"schedule", [](const policy_options& o, const calendar& w) { return make<schedule_policy>(o.schedule, w); }}};

} // namespace

std::vector<std::string_view> policy_names() {
  std::vector<std::string_view> out;
  for (const auto& p : policies) out.push_back(p.name);
  return out;
}

core::expected<policy_ptr> make_policy(std::string_view name, const policy_options& options, const calendar& wall) {
  std::string names;
  for (const auto& p : policies) {
    if (p.name == name) {
      auto policy = p.make(options, wall);
      if (!policy) return core::fail(name, policy.error());
      return policy;
    }
    names += names.empty() ? "" : ", ";
    names += p.name;
  }
  return core::fail(core::errc::not_found, "policy \"" + std::string{name} + "\": there are " + names);
}

} // namespace penstock::scaling
