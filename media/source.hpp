#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/packet.hpp"
#include "core/time.hpp"

namespace penstock::media {

/// How RTP travels when the source is an RTSP camera.
enum class rtsp_transport : std::uint8_t { tcp, udp };

/// What to open and within which limits.
struct source_options {
  /// A file, a glob of files (`recordings/*.mp4`, `shots/*.jpg`), a folder of pictures, an `rtsp://`, `rtmp://`,
  /// `http(s)://`… address, a V4L2 device (`/dev/video0`, `v4l2:///dev/video0`) or `synthetic://?…`.
  std::string uri;
  std::uint64_t max_pixels = 64'000'000; ///< streams that announce larger frames are refused with `too_large`
  rtsp_transport transport = rtsp_transport::tcp;
  std::chrono::milliseconds open_timeout{10'000}; ///< network: to connect and learn the codec
  std::chrono::milliseconds read_timeout{10'000}; ///< network: silence longer than this is a lost connection
  core::media_time origin{0}; ///< where the timeline starts; a reconnecting caller passes the end of what came before
  std::stop_token stop;       ///< asked to stop, from any thread, a blocking open or read returns `cancelled`
};

/// What can be said of a source from its uri alone.
struct source_traits {
  std::string_view kind; ///< "network", "files", "pictures", "device", "synthetic"
  bool live = false;     ///< produces at its own pace, whether or not anybody reads
  bool finite = true;    ///< comes to a regular end; reopening it would start again
};

/// Resolves the kind of source without opening it. `not_found` for a path that is neither there nor a device,
/// `unsupported` for a scheme that nothing can open; the message names the uri.
[[nodiscard]] core::expected<source_traits> describe_source(const std::string& uri);

/// A stream of packets in decode order.
///
/// Timeline: it starts at about `origin`; pts is always set, dts never decreases. A picture (JPEG, PNG, WebP, BMP) is
/// one closed packet with its file name; one that cannot be read is a `damaged` packet without bytes, and of one
/// beyond `max_pixels` only the first bytes come: in both cases the decoder answers with the reason, and the stream
/// goes on. One thread at a time.
class packet_source {
 public:
  virtual ~packet_source() = default;

  [[nodiscard]] virtual const source_traits& traits() const noexcept = 0;

  /// The codec of the packet that `read` returned last. A new pointer means another codec or other headers: that packet
  /// starts afresh, and packets before and after it must not meet in one decoder. (Globs of files and folders of mixed
  /// pictures change it; so can a live stream.) Before the first `read` it is null or the codec of the first packet.
  [[nodiscard]] virtual core::codec_ptr codec() const = 0;

  /// How many frames a finite source has, for progress; an estimate, 0 when not known.
  [[nodiscard]] virtual std::uint64_t frames() const noexcept = 0;

  /// The next packet; blocks. Three errors are final: `end_of_stream` (regular end), `unavailable` (connection lost;
  /// reopen) and `cancelled`. Any other (`corrupt`, `io`, `unsupported`, `too_large`, …) tells of a place or, in a
  /// list, a file that cannot be read: report it and read on; the number of errors is bounded.
  [[nodiscard]] virtual core::expected<core::packet_ptr> read() = 0;

 protected:
  packet_source() = default;
  packet_source(const packet_source&) = delete;
  packet_source& operator=(const packet_source&) = delete;
};

/// Opens a source of any kind; blocks up to `open_timeout`. Errors name the uri: `not_found`, `io` (exists, but cannot
/// be read), `corrupt` (empty, or in no known format), `unsupported` (no video in it, or no decoder for it),
/// `too_large`, `unavailable` (camera away; trying again may work), `invalid_argument` (synthetic: a bad parameter),
/// `cancelled`.
[[nodiscard]] core::expected<std::unique_ptr<packet_source>> open_source(const source_options& options);

} // namespace penstock::media
