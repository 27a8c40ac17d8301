#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "topology/streams_config.hpp"

/// How many machines of a role run, and who starts and stops them. The bounds are the role's `scale`. What the values
/// mean is said by the options of the room scaling/, into which they are made.
namespace penstock::topology {

enum class fleet_kind : std::uint8_t { advise, process, vmss, exec };

/// Where signals are read.
enum class scaling_source : std::uint8_t { head, prometheus };

enum class threshold_metric : std::uint8_t { utilisation, backlog, oldest, late_share };
enum class threshold_operator : std::uint8_t { above, at_least, below, at_most };

struct rate_policy_config {
  double target_utilisation = 0.96;
  duration drain_time = std::chrono::seconds{60};
  duration boot_time = std::chrono::seconds{240};
  duration level_window = std::chrono::seconds{60};
  duration trend_window = std::chrono::seconds{900};
  double trend_certainty = 4;
  double most_growth = 1.3;
  double burst_share = 0.03;
  double late_limit = 0.01;
  duration stable_for = std::chrono::seconds{90};
  duration step_every = std::chrono::seconds{30};
  double step = 1;
  double hysteresis = 0.07;
  duration memory = std::chrono::hours{1};
  double envelope_quantile = 0.85;
  duration outage_grace = std::chrono::seconds{600};

  bool operator==(const rate_policy_config&) const = default;
};

struct threshold_rule_config {
  threshold_metric metric = threshold_metric::utilisation;
  threshold_operator compare = threshold_operator::above;
  double threshold = 0.75;
  duration for_time = std::chrono::seconds{600};
  duration cooldown = std::chrono::seconds{300};
  int step = 1;

  bool operator==(const threshold_rule_config&) const = default;
};

struct threshold_policy_config {
  std::vector<threshold_rule_config> out{{}};
  std::vector<threshold_rule_config> in{{.compare = threshold_operator::below, .threshold = 0.25}};

  bool operator==(const threshold_policy_config&) const = default;
};

enum class weekday : std::uint8_t { sun, mon, tue, wed, thu, fri, sat };

inline constexpr std::array all_weekdays{weekday::sun, weekday::mon, weekday::tue, weekday::wed,
                                         weekday::thu, weekday::fri, weekday::sat};

struct schedule_entry_config {
  std::vector<weekday> days{all_weekdays.begin(), all_weekdays.end()};
  std::chrono::minutes from{0};
  std::chrono::minutes to{24 * 60};
  int workers = 1;

  bool operator==(const schedule_entry_config&) const = default;
};

struct schedule_policy_config {
  std::chrono::minutes utc_offset{0};
  std::vector<schedule_entry_config> entries{};

  bool operator==(const schedule_policy_config&) const = default;
};

struct prometheus_config {
  std::string url = "http://127.0.0.1:9090";
  std::filesystem::path token_file{};

  bool operator==(const prometheus_config&) const = default;
};

struct process_fleet_config {
  std::vector<std::string> command{}; ///< empty: this program's `worker` with the same topology
  std::filesystem::path folder = "workers";
  std::string prefix = "worker-";
  duration grace = std::chrono::seconds{30};
  int most = 1'000;

  bool operator==(const process_fleet_config&) const = default;
};

struct vmss_fleet_config {
  std::string resource_id{};
  std::string endpoint = "https://management.azure.com";
  std::string identity_endpoint = "http://169.254.169.254";
  std::string identity_client{};
  duration patience = std::chrono::seconds{10};
  duration request_limit = std::chrono::seconds{15};
  duration ask_again_after = std::chrono::seconds{60};

  bool operator==(const vmss_fleet_config&) const = default;
};

struct exec_fleet_config {
  std::vector<std::string> command{};
  duration limit = std::chrono::seconds{60};

  bool operator==(const exec_fleet_config&) const = default;
};

/// Azure Monitor, which is told what is wanted; nobody while there is no resource.
struct azure_monitor_config {
  std::string resource_id{};
  std::string endpoint{};
  std::string name_space = "Penstock";
  std::string identity_endpoint = "http://169.254.169.254";
  std::string identity_client{};

  bool operator==(const azure_monitor_config&) const = default;
};

struct advise_fleet_config {
  azure_monitor_config azure_monitor{};

  bool operator==(const advise_fleet_config&) const = default;
};

struct scaling_config {
  bool enabled = false; ///< in the head itself
  std::string role{};   ///< empty: the one that decodes
  fleet_kind fleet = fleet_kind::advise;
  duration objective = std::chrono::seconds{1}; ///< what has its result later is late
  scaling_source source = scaling_source::head;
  std::vector<std::string> heads{}; ///< addresses of doors; empty: that of the topology
  std::filesystem::path token_file{};
  prometheus_config prometheus{};
  duration interval = std::chrono::seconds{15};
  duration window = std::chrono::seconds{30};
  duration stale_after = std::chrono::seconds{90};
  std::vector<std::string> policies{"rate"};
  rate_policy_config rate{};
  threshold_policy_config threshold{};
  schedule_policy_config schedule{};
  int max_step = 10;
  duration drain_timeout = std::chrono::minutes{15};
  duration boot_limit = std::chrono::minutes{15};
  duration allocation_patience = std::chrono::seconds{120};
  duration ask_again_after = std::chrono::minutes{10};
  duration repeat_after = std::chrono::seconds{60};
  duration lease = std::chrono::seconds{60}; ///< of the one who decides, where several might
  process_fleet_config process{};
  vmss_fleet_config vmss{};
  exec_fleet_config exec{};
  advise_fleet_config advise{};

  bool operator==(const scaling_config&) const = default;
};

} // namespace penstock::topology
