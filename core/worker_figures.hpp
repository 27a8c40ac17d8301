#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace penstock::core {

/// The stages of the path of a frame that workers do.
enum class stage : std::uint8_t { decode, preprocess, inference, postprocess };

inline constexpr std::array all_stages{stage::decode, stage::preprocess, stage::inference, stage::postprocess};

[[nodiscard]] constexpr std::string_view to_string(stage s) noexcept {
  constexpr std::array<std::string_view, all_stages.size()> names{"decode", "preprocess", "inference", "postprocess"};
  return names[static_cast<std::size_t>(s)];
}

/// Where a worker is in its life, as it says itself. `warming`: it loads its model; `draining`: it takes nothing new.
enum class worker_phase : std::uint8_t { warming, ready, draining };

inline constexpr std::array all_worker_phases{worker_phase::warming, worker_phase::ready, worker_phase::draining};

[[nodiscard]] constexpr std::string_view to_string(worker_phase p) noexcept {
  constexpr std::array<std::string_view, all_worker_phases.size()> names{"warming", "ready", "draining"};
  return names[static_cast<std::size_t>(p)];
}

/// What a stage works on. All stages on `cpu` share the machine's cores, all on `device` its lanes.
enum class resource : std::uint8_t { cpu, device };

/// What a stage of a worker has done since the process began.
struct stage_figures {
  core::stage stage = core::stage::decode;
  std::uint64_t items = 0;           ///< finished
  std::chrono::microseconds busy{0}; ///< time that it held its resource, over all that work on it
  resource works_on = resource::cpu;
  std::uint32_t parallel = 1; ///< how much there is of the resource: cores, or lanes of the device
  bool operator==(const stage_figures&) const = default;
};

/// What a worker says of itself, several times within a lease timeout.
struct worker_figures {
  worker_phase phase = worker_phase::ready;
  std::vector<stage_figures> stages; ///< those that it runs
  bool operator==(const worker_figures&) const = default;
};

} // namespace penstock::core
