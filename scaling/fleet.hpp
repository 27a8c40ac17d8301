#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::scaling {

/// Where an instance of a fleet is in its life, as the fleet's owner tells.
enum class instance_state : unsigned char { provisioning, running, deleting, failed };

/// One machine (or process).
struct instance {
  std::string id;     ///< as the fleet's owner names it: an instance id, a process id
  std::string worker; ///< name under which its worker says hello; empty while not known
  instance_state state = instance_state::provisioning;
  bool is_protected = false; ///< the fleet's owner must not choose it when it shrinks

  bool operator==(const instance&) const = default;
};

struct fleet_state {
  int target = 0; ///< how many instances its owner was asked for
  std::vector<instance> instances;

  bool operator==(const fleet_state&) const = default;
};

/// Machines that come and go. Its functions block for as long as their limits let them; called by one thread.
class fleet {
 public:
  virtual ~fleet() = default;

  /// Name as in the topology: `process`, `vmss`, `exec`, `advise`.
  [[nodiscard]] virtual std::string_view kind() const noexcept = 0;

  /// What is there. Errors: `unavailable`, `timeout`, `refused`; the caller keeps what it knew.
  [[nodiscard]] virtual core::expected<fleet_state> observe() = 0;

  /// Asks for so many instances, more than before: fewer only by `retire`. Returning does not mean that they are there;
  /// `observe` tells. A part of them is an answer too (capacity that is not available).
  [[nodiscard]] virtual core::expected<void> set_target(int instances) = 0;

  /// Deletes instances that were drained, and lowers the target by as many. One that is gone already is no error.
  [[nodiscard]] virtual core::expected<void> retire(const std::vector<std::string>& ids) = 0;

  /// Keeps the fleet's owner from choosing the instance while it holds long work. Fleets without such a thing do
  /// nothing.
  [[nodiscard]] virtual core::expected<void> protect(const std::string& id, bool on) = 0;

  /// What went wrong, since this was last asked, with what had been asked for earlier: an operation that ended badly,
  /// an instance that failed. Each is told once.
  [[nodiscard]] virtual std::vector<core::error> problems() { return {}; }
};

using fleet_ptr = std::unique_ptr<fleet>;

} // namespace penstock::scaling
