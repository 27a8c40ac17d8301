#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/time.hpp"
#include "jobs/ledger.hpp"

namespace penstock::scaling {

/// At most one of those who share a ledger decides at a time: who has written the key last, and less than a lease ago.
/// No clocks are compared: who waits counts a lease from when it first saw the version that is there, which is after it
/// was written; who leads counts from before it wrote, and stops a quarter of the lease early. Each write is fenced by
/// the version before it. Times are given in and must not go back; used by one thread.
class leader {
 public:
  /// `scope`: what is led, e.g. "PIPELINE/ROLE"; `self`: for people; `token`: nobody else's.
  leader(std::shared_ptr<jobs::ledger> store, std::string_view scope, std::string self, std::string token,
         core::seconds lease);

  /// Takes the lead where it is free or its lease has run out, and renews it; whether it is ours now. To be called
  /// several times within a lease. Error: the ledger's; what was held is held until its lease runs out.
  core::expected<bool> renew(core::time_point now);

  /// Whether it is ours at this moment: to be asked before each act.
  [[nodiscard]] bool leads(core::time_point now) const noexcept;

  /// Who leads, as far as was seen; empty where nobody does.
  [[nodiscard]] const std::string& who() const noexcept { return who_; }

  /// Lets others lead at once. Error: the ledger's; then they wait for the lease's end.
  core::expected<void> resign();

  [[nodiscard]] core::seconds lease() const noexcept { return lease_; }

 private:
  [[nodiscard]] std::string value();
  core::expected<bool> took(core::expected<std::optional<std::string>> written, core::time_point asked);
  core::expected<bool> look(core::time_point now);

  std::shared_ptr<jobs::ledger> store_;
  std::string key_;
  std::string self_;
  std::string token_;
  core::seconds lease_;
  std::uint64_t turn_ = 0;             ///< makes each value another one
  std::optional<std::string> version_; ///< of what we wrote, while it is ours
  core::time_point until_{};
  std::string who_;
  std::string seen_; ///< version of another's
  core::time_point seen_at_{};
};

} // namespace penstock::scaling
