#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "topology/config.hpp"

namespace penstock::topology {

enum class source_kind : std::uint8_t {
  video,     ///< a file of this machine
  pictures,  ///< a picture, a glob of pictures or a folder of pictures: one stream
  network,   ///< an URL: cameras, live servers, and files on web servers
  device,    ///< a V4L2 device
  synthetic, ///< synthetic://…
  pushed,    ///< push://NAME: a program brings it
};

[[nodiscard]] std::string_view to_string(source_kind kind) noexcept;

/// The URI for logs and drawings: without a password.
[[nodiscard]] std::string display_uri(std::string_view uri);

/// One stream as a source actor takes it, with everything decided.
struct stream_source {
  std::string id{};
  std::string uri{};
  source_kind kind = source_kind::video;
  bool finite = true; ///< it ends by itself; a lost connection is retried only where it does not
  stream_policy policy = stream_policy::lossless;
  bool policy_open = false; ///< pushed: its producer may ask for the other policy
  double sample_fps = 0;    ///< 0: all frames
  rtsp_transport transport = rtsp_transport::tcp;
  reconnect_config reconnect{};

  bool operator==(const stream_source&) const = default;
};

/// Kind of source that an URI names, from its text alone.
[[nodiscard]] source_kind classify(std::string_view uri);

/// The path of a file, glob or folder: the URI without `file://`.
[[nodiscard]] std::string local_path(std::string_view uri);

/// The name that a producer opens: the URI without `push://`.
[[nodiscard]] std::string pushed_name(std::string_view uri);

/// Whether a source of this URI ends by itself.
[[nodiscard]] bool is_finite(std::string_view uri);

/// What `policy: auto` stands for: lossless where the source waits for its reader and ends by itself, otherwise live.
[[nodiscard]] stream_policy default_policy(std::string_view uri);

/// Every stream that one entry stands for. A glob or folder of videos is one stream `ID/STEM` each, in order of their
/// names; not_found when nothing matches.
[[nodiscard]] core::expected<std::vector<stream_source>> expand_stream(const stream_config& stream,
                                                                       const stages_config& stages);

/// The same for all of `c.streams`, in their order.
[[nodiscard]] core::expected<std::vector<stream_source>> expand_streams(const config& c);

} // namespace penstock::topology
