#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::topology {

/// The word that was probably meant, by edit distance; empty when none is near.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// "; did you mean 'x'?", or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// "a, b, c".
[[nodiscard]] std::string enumerate(const std::vector<std::string>& words);

} // namespace penstock::topology
