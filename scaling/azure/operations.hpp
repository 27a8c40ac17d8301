#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scaling/azure/arm.hpp"

namespace penstock::scaling::azure {

/// An operation that has ended.
struct ended_operation {
  std::string what;                   ///< as it was kept
  std::optional<refused_request> bad; ///< why, where it failed or was cancelled
};

/// Long operations of Resource Manager, which answers 202 and does them afterwards. Each is asked after when it is due
/// and never waited for. Used by one thread.
class operations {
 public:
  explicit operations(arm& with) : arm_{with} {}

  /// Keeps what an answer of success began; nothing where it is done already (no address to follow).
  void keep(std::string what, const http_response& answer);

  /// Asks after those that are due (`Retry-After`, else 10 s), and gives those that have ended. One that Azure does not
  /// know any more has ended, and so has one that goes on for two hours.
  [[nodiscard]] std::vector<ended_operation> follow();

  /// Whether one of this name goes on.
  [[nodiscard]] bool goes_on(std::string_view what) const;

 private:
  struct operation {
    std::string what;
    std::string url;
    bool tells_status = false; ///< by a body (Azure-AsyncOperation); else by its HTTP status (Location)
    core::time_point due;
    core::time_point give_up;
  };

  /// True where it has ended. Sets `is_away` where nobody answers.
  bool ask(operation& each, std::vector<ended_operation>& ended, bool& is_away);

  arm& arm_;
  std::vector<operation> going_;
};

} // namespace penstock::scaling::azure
