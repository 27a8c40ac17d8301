#pragma once

#include <memory>
#include <optional>
#include <string>

#include "scaling/azure/custom_metrics.hpp"
#include "scaling/fleet.hpp"

namespace penstock::scaling {

/// Somebody else scales: KEDA, an HPA or autoscale rules read what is wanted from metrics.
struct advise_options {
  std::string role = "worker";                                ///< the dimension in Azure Monitor
  std::optional<azure::custom_metrics_options> azure_monitor; ///< tells Azure Monitor, too
  std::string identity_endpoint = "http://169.254.169.254";
  std::string identity_client;

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Changes nothing. The target is what was wanted last, up or down, and there are no instances. Retiring is refused
/// (`unsupported`), for it would be for others to do.
[[nodiscard]] fleet_ptr make_advise(const advise_options& options, std::unique_ptr<azure::custom_metrics> tell);

/// With the machine's identity. Error: `bad_config`.
[[nodiscard]] core::expected<fleet_ptr> open_advise(const advise_options& options);

} // namespace penstock::scaling
