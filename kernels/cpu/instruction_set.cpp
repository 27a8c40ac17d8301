#include "kernels/instruction_set.hpp"

#include <hwy/highway.h>

namespace penstock::kernels {

std::string_view instruction_set() noexcept {
  // better targets have lower bits
  const auto targets = HWY_TARGETS & hwy::SupportedTargets();
  return hwy::TargetName(targets & -targets);
}

std::vector<std::string_view> instruction_sets() {
  std::vector<std::string_view> names;
  for (const auto target : hwy::SupportedAndGeneratedTargets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

void use_instruction_set(std::string_view name) {
  hwy::SetSupportedTargetsForTest(0);
  for (const auto target : hwy::SupportedAndGeneratedTargets()) {
    if (name == hwy::TargetName(target)) hwy::SetSupportedTargetsForTest(target);
  }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

} // namespace penstock::kernels
