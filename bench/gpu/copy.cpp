#include "bench/gpu/benches.hpp"
#include "bench/gpu/cuda_copy.hpp"
#include "bench/gpu/random_data.hpp"

namespace penstock::bench {

nlohmann::json copy_figures(const bench_device& on) {
  const std::size_t bytes = on.real ? std::size_t{1} << 30U : std::size_t{1} << 22U;
  std::mt19937_64 random{1};
  const std::vector from{random_buffer(on, bytes, core::memory_kind::device, random),
                         random_buffer(on, bytes, core::memory_kind::device, random)};
  const auto to = on.memory(bytes);
  const auto rate = [&](auto&& copy) {
    const auto seconds = device_seconds(on, from.size(), copy).median;
    return seconds > 0 ? 2 * static_cast<double>(bytes) / seconds : 0;
  };
  const auto driver =
      rate([&](std::size_t i) { must(on.device->copy(*on.stream, to.data(), from[i].data(), bytes), "copy"); });
  if (!on.real) return {{"bytes", bytes}, {"driver_bytes_per_s", driver}, {"bytes_per_s", driver}};
  const auto kernel =
      rate([&](std::size_t i) { copy_by_kernel(on.stream->native(), to.data(), from[i].data(), bytes); });
  return {{"bytes", bytes},
          {"driver_bytes_per_s", driver},
          {"kernel_bytes_per_s", kernel},
          {"bytes_per_s", std::max(driver, kernel)}};
}

} // namespace penstock::bench
