#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scaling/fleet.hpp"
#include "scaling/fleet/advise.hpp"
#include "scaling/fleet/exec.hpp"
#include "scaling/fleet/process.hpp"
#include "scaling/fleet/vmss.hpp"

namespace penstock::scaling {

/// A fleet's kind, and the options of each; only those of the kind are looked at.
struct fleet_options {
  std::string kind = "process";
  process_options process;
  vmss_options vmss;
  exec_options exec;
  advise_options advise;
};

/// Names of all kinds.
[[nodiscard]] std::vector<std::string_view> fleet_kinds();

/// Whether the options of its kind are right. Errors: `bad_config`, which names the key; `unsupported`, which names the
/// kinds there are.
[[nodiscard]] core::expected<void> validate(const fleet_options& options);

/// Errors: as `validate`, and those of the kind.
[[nodiscard]] core::expected<fleet_ptr> open_fleet(const fleet_options& options);

} // namespace penstock::scaling
