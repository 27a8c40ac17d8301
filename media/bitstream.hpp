#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/packet.hpp"

namespace penstock::media {

/// What segments and sampling need to know about a packet, read from the codec's own headers.
struct packet_class {
  core::random_access access = core::random_access::none;
  bool disposable = false;
  bool shown = true;

  bool operator==(const packet_class&) const = default;
};

/// What the container says about a packet; used only where the codec's headers say nothing.
struct container_flags {
  bool key = false;
  bool disposable = false;
};

/// Classifies the packets of one codec, in decode order. Reads the first headers of each packet only and survives any
/// bytes. Where a mistake is possible it errs on the side of `none` and of not disposable, so that decoding by
/// segments stays exact.
class packet_classifier {
 public:
  virtual ~packet_classifier() = default;
  [[nodiscard]] virtual packet_class classify(std::span<const std::byte> bytes, container_flags flags) = 0;
};

[[nodiscard]] std::unique_ptr<packet_classifier> make_classifier(const core::codec_description& codec);

} // namespace penstock::media
