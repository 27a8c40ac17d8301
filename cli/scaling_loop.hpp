#pragma once

#include <chrono>
#include <cstdint>
#include <fstream>
#include <optional>
#include <stop_token>
#include <string>

#include "core/error.hpp"
#include "scaling/scaler.hpp"

namespace penstock::cli {

/// Where decisions go as JSON, one a line; nowhere for "".
class event_file {
 public:
  /// `file` "-": standard output. Error: `io`.
  [[nodiscard]] static core::expected<event_file> open(const std::string& file);

  /// Error: `io`.
  [[nodiscard]] core::expected<void> write(const std::string& line);

 private:
  std::string name_;
  std::ofstream out_; ///< of a file
};

/// Says what rounds came to: a decision when it is another one than before, and every twentieth; a trouble when it is
/// new; and who decides.
class round_teller {
 public:
  round_teller(std::string role, event_file events) : role_{std::move(role)}, events_{std::move(events)} {}

  void tell(const scaling::scaling_round& round);

 private:
  void tell_decision(const scaling::decision& made);
  void tell_trouble(const std::vector<core::error>& trouble);

  std::string role_;
  event_file events_;
  std::string said_;     ///< of the last decision, what makes it another one
  unsigned unsaid_ = 0;  ///< rounds since it was said
  std::string troubles_; ///< of the last round
  std::optional<std::string> led_by_;
};

/// Rounds at an interval, until it is asked to stop; then another may lead.
void run_scaling(scaling::scaler& scaler, round_teller& teller, std::chrono::milliseconds interval,
                 std::chrono::milliseconds keep_every, const std::stop_token& stop);

} // namespace penstock::cli
