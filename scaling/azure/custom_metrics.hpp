#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "jobs/azure/credential.hpp"
#include "jobs/azure/http.hpp"
#include "jobs/azure/retry.hpp"

namespace penstock::scaling::azure {

struct custom_metrics_options {
  std::string endpoint;    ///< `https://REGION.monitoring.azure.com`, of the resource's region
  std::string resource_id; ///< whose metrics they are; not a subscription or resource group
  std::string name_space = "Penstock";
  std::chrono::seconds interval{60}; ///< what Azure keeps metrics by

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Metrics for Azure Monitor, of which alerts and autoscale rules can be made: samples are gathered and sent once a
/// minute, one request for each metric, with a series for each role. Used by one thread.
class custom_metrics {
 public:
  using calendar = std::function<std::chrono::sys_seconds()>;

  custom_metrics(custom_metrics_options options, std::shared_ptr<jobs::azure::credential> let_in,
                 std::shared_ptr<jobs::azure::http_client> http, jobs::azure::retry_rules rules, calendar ours);

  /// A value now. Neither name may be empty; a metric's holds no blanks.
  void add(std::string_view metric, std::string_view role, double value);

  /// Sends what was gathered, where the interval is over; else does nothing. What cannot be sent is given up: Azure
  /// takes no values that are more than 20 minutes old. Times are Azure's, as its answers tell them (`Date`), for this
  /// machine's clock may be off. Errors: `unavailable`, `timeout`, `bad_config` (a role that is missing), `io`.
  [[nodiscard]] core::expected<void> flush();

 private:
  struct summary {
    double min = 0;
    double max = 0;
    double sum = 0;
    std::uint64_t count = 0;
  };

  core::expected<void> send(const std::string& metric, const std::map<std::string, summary>& series);
  core::expected<jobs::azure::http_response> post(const std::string& metric,
                                                  const std::map<std::string, summary>& series);

  custom_metrics_options options_;
  std::shared_ptr<jobs::azure::credential> let_in_;
  std::shared_ptr<jobs::azure::http_client> http_;
  jobs::azure::retry_rules rules_;
  calendar ours_;
  std::chrono::sys_seconds due_;
  std::chrono::seconds ahead_{0}; ///< of ours, Azure's clock
  std::map<std::string, std::map<std::string, summary>> gathered_;
};

} // namespace penstock::scaling::azure
