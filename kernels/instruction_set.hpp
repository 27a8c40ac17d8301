#pragma once

#include <string_view>
#include <vector>

namespace penstock::kernels {

/// Name of the instruction set that the kernels use now, e.g. "AVX3".
[[nodiscard]] std::string_view instruction_set() noexcept;

/// Those that were built and that this machine has, best first.
[[nodiscard]] std::vector<std::string_view> instruction_sets();

/// Makes the kernels of the whole process use one of `instruction_sets()`, or the best again where the name is none of
/// them (empty). For tests and comparisons; no kernel may run meanwhile.
void use_instruction_set(std::string_view name);

} // namespace penstock::kernels
