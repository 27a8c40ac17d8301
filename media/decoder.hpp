#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/packet.hpp"

namespace penstock::media {

/// `exact` is bit for bit what the standard says; `fast` skips the loop filter on frames nothing refers to.
enum class decode_effort : std::uint8_t { exact, fast };

struct decode_options {
  decode_effort effort = decode_effort::exact;
  std::uint64_t max_pixels = 64'000'000; ///< larger frames are refused before they are decoded
  int threads = 1;                       ///< inside one decoder; parallelism is meant to come from segments
  /// Decode on this GPU what it can (NVDEC: H.264, HEVC, VP8, VP9 in 4:2:0 with 8 or 10 bits), and the rest on the CPU:
  /// decided for each stream by its headers, a reason for the CPU is logged once. Frames from the GPU are `nv12` or
  /// `p010`, lie in its memory, and are ready for work behind its default stream; as many as are held stay allocated.
  /// What they show is the same, bit for bit; but damage inside a packet that NVDEC hides is not seen, where the CPU's
  /// decoder answers `corrupt`.
  std::optional<int> cuda_device{};
};

/// What became of one packet: its frame, or why there is none (`corrupt`, `too_large`, `unsupported`).
struct decoded {
  std::uint64_t key = 0;
  core::expected<core::frame_ptr> frame;
};

/// Decodes one segment (or a whole stream). Frames come out in presentation order.
///
/// Every key sent with `wanted` of a packet that is `shown` comes back from `receive` exactly once, with a frame or
/// with an error; other keys never do. So nothing is lost between the packets in and the outcomes out.
///
/// Colours: the frame's matrix and range as the stream says; where it says nothing, BT.601 and limited range (JPEG:
/// full), which is what swscale and therefore OpenCV's VideoCapture assume. Pixel formats other than
/// `core::pixel_format` (10 bit, palette, alpha, …) are converted to the nearest of these.
///
/// One thread at a time. Frames keep their memory alive and may outlive the decoder.
class decoder {
 public:
  /// `unsupported` when this build has no decoder for the codec, `too_large`, `corrupt` for unusable headers.
  [[nodiscard]] static core::expected<decoder> open(const core::codec_description& codec,
                                                    const decode_options& options = {});

  decoder(decoder&&) noexcept;
  decoder& operator=(decoder&&) noexcept;
  ~decoder();

  /// Gives the next packet in decode order; its payload is not copied. `key` is the caller's name for it, unique in
  /// this decoder. With `wanted` false no frame is produced for it, and it is not decoded at all where nothing refers
  /// to it. An error says that the decoder itself cannot go on (`engine`: no memory, the GPU failed) and the segment is
  /// to be decoded anew; what is wrong with the packet comes from `receive`. Call `receive` until it is empty after
  /// each packet.
  [[nodiscard]] core::expected<void> send(const core::packet& packet, std::uint64_t key, bool wanted = true);

  /// The next outcome that is ready; empty when it needs another packet.
  [[nodiscard]] std::optional<decoded> receive();

  /// No more packets: `receive` then yields everything that was held back, and an error for every key still open.
  /// After that the decoder can start again at a random-access packet. Error: as of `send`; outcomes that were held
  /// back are errors then.
  core::expected<void> flush();

 private:
  struct impl;
  explicit decoder(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::media
