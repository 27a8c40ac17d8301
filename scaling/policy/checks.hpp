#pragma once

#include <fmt/format.h>
#include <string_view>

#include "core/error.hpp"
#include "core/time.hpp"

/// What options of policies and of the controller are held to. Errors: `bad_config`, as "NAME: what is wrong".
namespace penstock::scaling::check {

[[nodiscard]] inline core::expected<void> that(bool is_right, std::string_view name, double value,
                                               std::string_view wanted) {
  if (is_right) return {};
  return core::fail(core::errc::bad_config, fmt::format("{}: {} is not {}", name, value, wanted));
}

[[nodiscard]] inline core::expected<void> at_least(std::string_view name, double value, double least) {
  return that(value >= least, name, value, fmt::format("at least {}", least));
}

[[nodiscard]] inline core::expected<void> within(std::string_view name, double value, double least, double most) {
  return that(value >= least && value <= most, name, value, fmt::format("from {} to {}", least, most));
}

/// Above the first bound, below the second.
[[nodiscard]] inline core::expected<void> between(std::string_view name, double value, double above, double below) {
  return that(value > above && value < below, name, value, fmt::format("between {} and {}", above, below));
}

[[nodiscard]] inline core::expected<void> above_zero(std::string_view name, core::seconds value) {
  return that(value.count() > 0, name, value.count(), "a time above 0");
}

} // namespace penstock::scaling::check
