#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "topology/streams_config.hpp"

namespace penstock::topology {

struct tracking_config {
  std::string kind = "none"; ///< a name of vocabulary::tracker_kinds
  float min_iou = 0.3F;      ///< below, a box does not continue a track
  int max_age = 30;          ///< frames that a track survives unseen
  int min_hits = 3;          ///< frames until a new track is reported

  bool operator==(const tracking_config&) const = default;
};

/// Where results go. Every sink gets every stream.
struct sink_config {
  std::string kind{};           ///< a name of vocabulary::sink_kinds
  std::filesystem::path path{}; ///< `{stream}` stands for the stream's id, see sink_path(); empty: none
  std::string listen{};         ///< `zmq`: tcp://ADDRESS:PORT where results are published; empty: none
  int queue = 256;              ///< results of a stream that may wait for this sink
  std::optional<double> fps{};  ///< nominal rate of a video; auto: the stream's own, after sampling

  bool operator==(const sink_config&) const = default;
};

/// The path that a sink writes for one stream.
[[nodiscard]] std::filesystem::path sink_path(const sink_config& sink, std::string_view stream);

} // namespace penstock::topology
