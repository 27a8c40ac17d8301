#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "scaling/azure/arm.hpp"
#include "scaling/fleet.hpp"

namespace penstock::scaling {

/// A scale set of Azure (uniform orchestration; with a flexible one instance ids are names).
struct vmss_options {
  /// `/subscriptions/…/resourceGroups/…/providers/Microsoft.Compute/virtualMachineScaleSets/NAME`
  std::string resource_id;
  std::string endpoint = "https://management.azure.com"; ///< of Resource Manager
  std::string identity_endpoint = "http://169.254.169.254";
  std::string identity_client;                     ///< of a user-assigned identity, or empty
  std::chrono::milliseconds patience{10'000};      ///< tries of one request, together
  std::chrono::milliseconds request_limit{15'000}; ///< of one try
  std::chrono::seconds ask_again_after{60};        ///< where there was no capacity or quota

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Grows by PATCH of the capacity with the entity tag that was read just before; shrinks by deleting named instances.
/// Nothing is written without a fresh reading, so that a refused reading cannot shrink anything.
[[nodiscard]] fleet_ptr make_vmss(const vmss_options& options, std::unique_ptr<azure::arm> through);

/// With the machine's identity. Error: `bad_config`.
[[nodiscard]] core::expected<fleet_ptr> open_vmss(const vmss_options& options);

} // namespace penstock::scaling
