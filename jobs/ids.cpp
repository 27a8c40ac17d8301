#include "jobs/ids.hpp"

#include <algorithm>
#include <random>

namespace penstock::jobs {
namespace {

constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuv";
constexpr std::size_t time_letters = 10;
constexpr std::size_t random_letters = 16;

std::string digits(std::uint64_t value, std::size_t count) {
  std::string out(count, '0');
  for (auto at = out.rbegin(); at != out.rend(); ++at) {
    *at = letters[value % 32];
    value /= 32;
  }
  return out;
}

} // namespace

std::string make_token(const random_bits& random) {
  // Two draws of 40 bits, of 64 each.
  auto out = digits(random() >> 24U, random_letters / 2);
  out += digits(random() >> 24U, random_letters / 2);
  return out;
}

std::string make_id(wall_time now, const random_bits& random) {
  const auto ms = std::max<std::int64_t>(0, now.time_since_epoch().count());
  return digits(static_cast<std::uint64_t>(ms), time_letters) + make_token(random);
}

std::string first_id_of(wall_time time) {
  const auto ms = std::max<std::int64_t>(0, time.time_since_epoch().count());
  return digits(static_cast<std::uint64_t>(ms), time_letters) + std::string(random_letters, letters.front());
}

bool is_job_id(std::string_view text) noexcept {
  return text.size() == time_letters + random_letters && text.find_first_not_of(letters) == std::string_view::npos;
}

wall_time time_of_id(std::string_view id) noexcept {
  std::int64_t value = 0;
  for (const char c : id.substr(0, time_letters)) value = value * 32 + static_cast<std::int64_t>(letters.find(c));
  return wall_time{milliseconds{value}};
}

random_bits system_random() {
  return [] {
    thread_local std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
  };
}

} // namespace penstock::jobs
