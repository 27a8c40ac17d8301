#pragma once

#include <utility>

#include "core/error.hpp"
#include "tests/catch.hpp"

namespace penstock::test {

/// The value of an answer; ends the test with its error.
template <class T>
T take(core::expected<T> answer) {
  if (!answer) FAIL(core::to_string(answer.error().code) << ": " << answer.error().message);
  return std::move(*answer);
}
inline void take(const core::expected<void>& answer) {
  if (!answer) FAIL(core::to_string(answer.error().code) << ": " << answer.error().message);
}

} // namespace penstock::test
