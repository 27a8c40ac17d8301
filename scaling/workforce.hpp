#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "scaling/roster.hpp"

namespace penstock::scaling {

/// The workers of a role, as the heads know them. Its functions block for as long as their limits let them; called by
/// one thread.
class workforce {
 public:
  virtual ~workforce() = default;

  /// Who is there. An error freezes the fleet: who is not seen might work.
  [[nodiscard]] virtual core::expected<std::vector<worker_view>> observe() = 0;

  /// Has the worker of that name take no more work, finish what it has, and leave; `observe` shows how far it is. One
  /// that is gone is no error.
  [[nodiscard]] virtual core::expected<void> drain(const std::string& worker) = 0;
};

using workforce_ptr = std::unique_ptr<workforce>;

} // namespace penstock::scaling
