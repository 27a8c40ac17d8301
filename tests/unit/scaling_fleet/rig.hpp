#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scaling/fleet/vmss.hpp"
#include "tests/catch.hpp"
#include "tests/take.hpp"
#include "tests/unit/scaling_fleet/azure_server.hpp"

namespace penstock::test {

inline bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Resource Manager of a stand-in, with its clock: pauses pass there.
inline std::unique_ptr<scaling::azure::arm> arm_of(azure_server& azure) {
  auto http = std::make_shared<jobs::azure::http_client>(
      jobs::azure::http_limits{std::chrono::seconds{5}, std::chrono::seconds{10}, 1U << 20U});
  auto let_in = jobs::azure::make_managed_identity(azure.address(), "", "https://management.azure.com/", http);
  jobs::azure::retry_rules rules;
  rules.whole = std::chrono::seconds{10};
  rules.random = [] { return 0; };
  rules.pause = [&azure](std::chrono::milliseconds time) { azure.advance(time); };
  return std::make_unique<scaling::azure::arm>(azure.address(), std::move(let_in), std::move(http), std::move(rules),
                                               [&azure] { return azure.now(); });
}

inline scaling::fleet_ptr vmss_of(azure_server& azure) {
  scaling::vmss_options options;
  options.resource_id = azure_server::resource_id;
  options.endpoint = azure.address();
  take(options.validate());
  return scaling::make_vmss(options, arm_of(azure));
}

/// All problems as one text.
inline std::string problems_of(scaling::fleet& of) {
  std::string out;
  for (const auto& each : of.problems()) out += each.message + "\n";
  return out;
}

} // namespace penstock::test
