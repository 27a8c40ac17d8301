#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace penstock::topology {

/// Every duration of a topology file.
using duration = std::chrono::microseconds;

/// What happens when a stream's frames come faster than they are worked on.
enum class stream_policy : std::uint8_t {
  live,     ///< it sheds old frames, with a counted reason
  lossless, ///< it pushes back to its source
};

/// How RTP travels from an RTSP camera.
enum class rtsp_transport : std::uint8_t { tcp, udp };

/// How often a source that is away is tried again: exponential between both, with jitter.
struct reconnect_config {
  duration min = std::chrono::milliseconds{500};
  duration max = std::chrono::seconds{30};

  bool operator==(const reconnect_config&) const = default;
};

/// One entry of `streams`; see expand_streams() for what it stands for at run time.
struct stream_config {
  std::string id{};
  std::string uri{}; ///< URL, device, file, glob or folder; files are relative to the working directory
  std::optional<stream_policy> policy{}; ///< auto: lossless where the source ends by itself, otherwise live
  std::optional<double> sample_fps{};    ///< auto: as `stages.decode.sample_fps`
  rtsp_transport transport = rtsp_transport::tcp;
  reconnect_config reconnect{};

  bool operator==(const stream_config&) const = default;
};

} // namespace penstock::topology
