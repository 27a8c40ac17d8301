#include <algorithm>
#include <array>

#include "actors/sinks/sinks.hpp"

namespace penstock::actors {

namespace {

constexpr std::array all_kinds{
    sink_kind{"jsonl", "one JSON object a line for each frame", false, &sinks::open_jsonl},
    sink_kind{"mp4", "video with boxes, labels and track ids", true, &sinks::open_mp4},
    sink_kind{"zmq", "results for subscribers", false, &sinks::open_zmq, true},
};

} // namespace

std::span<const sink_kind> sink_kinds() noexcept { return all_kinds; }

const sink_kind* find_sink_kind(std::string_view name) noexcept {
  const auto found = std::ranges::find(all_kinds, name, &sink_kind::name);
  return found == all_kinds.end() ? nullptr : &*found;
}

} // namespace penstock::actors
