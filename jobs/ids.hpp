#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "jobs/record.hpp"

namespace penstock::jobs {

/// 64 random bits a call. Ids are only as hard to guess as these are.
using random_bits = std::function<std::uint64_t()>;

/// A new id: 10 letters of time, then 16 random ones (80 bits), of the base 32 alphabet of RFC 4648's "extended hex" in
/// lower case, whose order is that of its values. So ids sort by their time, to the millisecond.
[[nodiscard]] std::string make_id(wall_time now, const random_bits& random);

/// 80 random bits as 16 letters.
[[nodiscard]] std::string make_token(const random_bits& random);

/// Whether a text from outside has the form of an id.
[[nodiscard]] bool is_job_id(std::string_view text) noexcept;

/// Time of an id's making. The id must have the form of one.
[[nodiscard]] wall_time time_of_id(std::string_view id) noexcept;

/// The first id that one made then, or later, can have.
[[nodiscard]] std::string first_id_of(wall_time time);

/// The operating system's random numbers. Thread-safe.
[[nodiscard]] random_bits system_random();

} // namespace penstock::jobs
