#include <array>
#include <cstddef>

#include "media/bit_reader.hpp"
#include "media/bitstream_codecs.hpp"

namespace penstock::media {

namespace {

using core::random_access;
using bytes_view = std::span<const std::byte>;

class vp8_classifier final : public packet_classifier {
 public:
  packet_class classify(bytes_view bytes, container_flags) override {
    if (bytes.empty()) return {random_access::none, false, true};
    const auto tag = std::to_integer<unsigned>(bytes[0]); // 9.1
    return {tag & 1U ? random_access::none : random_access::closed, false, (tag & 16U) != 0};
  }
};

class vp9_classifier final : public packet_classifier {
 public:
  packet_class classify(bytes_view bytes, container_flags) override {
    packet_class result{random_access::none, false, false};
    bool first = true;
    for_each_frame(bytes, [&](bytes_view frame) {
      const auto header = read(frame);
      if (first && header.key) result.access = random_access::closed;
      result.shown |= header.shown;
      first = false;
    });
    return result;
  }

 private:
  struct frame_header {
    bool key = false;
    bool shown = true;
  };

  static frame_header read(bytes_view bytes) {
    bit_reader header{bytes};
    header.skip(2);
    const auto low = header.bit();
    const auto profile = header.bit() << 1 | low;
    if (profile == 3) header.skip(1);
    if (header.bit()) return {false, true}; // show_existing_frame
    const bool key = header.bit() == 0;
    return {key, header.bit() != 0};
  }

  /// A superframe has its index of frame sizes at the end (Annex B).
  template <class Visit>
  static void for_each_frame(bytes_view bytes, Visit visit) {
    if (bytes.empty()) return;
    const auto marker = std::to_integer<std::size_t>(bytes.back());
    const auto frames = (marker & 7U) + 1;
    const auto width = (marker >> 3 & 3U) + 1;
    const auto index = 2 + frames * width;
    if ((marker & 0xe0U) != 0xc0U || bytes.size() < index || bytes[bytes.size() - index] != bytes.back())
      return visit(bytes);
    auto entry = bytes.last(index).subspan(1);
    auto rest = bytes.first(bytes.size() - index);
    for (std::size_t i = 0; i < frames; ++i, entry = entry.subspan(width)) {
      std::size_t size = 0;
      for (std::size_t b = width; b-- > 0;) size = size << 8 | std::to_integer<std::size_t>(entry[b]);
      if (size == 0 || size > rest.size()) return;
      visit(rest.first(size));
      rest = rest.subspan(size);
    }
  }
};

class av1_classifier final : public packet_classifier {
 public:
  explicit av1_classifier(bytes_view extradata) {
    if (extradata.size() > 4) (void)classify(extradata.subspan(4), {}); // av1C: four bytes, then OBUs
  }

  packet_class classify(bytes_view bytes, container_flags) override {
    packet_class result{random_access::none, false, false};
    bool first = true;
    while (!bytes.empty()) {
      const auto header = std::to_integer<unsigned>(bytes[0]);
      const auto type = header >> 3 & 15U;
      std::size_t at = header & 4U ? 2 : 1;
      std::size_t size = bytes.size() < at ? 0 : bytes.size() - at;
      if (header & 2U) { // has a size: leb128 (4.10.5)
        size = 0;
        for (unsigned shift = 0; shift < 56 && at < bytes.size(); shift += 7) {
          const auto byte = std::to_integer<std::size_t>(bytes[at++]);
          size |= (byte & 127U) << shift;
          if (!(byte & 128U)) break;
        }
      }
      if (at > bytes.size() || size > bytes.size() - at) break;
      bit_reader payload{bytes.subspan(at, size)};
      if (type == 1) {
        payload.skip(4);
        still_ = payload.bit() != 0; // reduced_still_picture_header
      } else if (type == 3 || type == 6) {
        const bool existing = !still_ && payload.bit() != 0;
        const auto frame_type = still_ || existing ? 0 : payload.bits(2);
        const bool shown = still_ || existing || payload.bit() != 0;
        if (first && !existing && frame_type == 0 && shown) result.access = random_access::closed;
        result.shown |= shown;
        first = false;
      }
      bytes = bytes.subspan(at + size);
    }
    return result;
  }

 private:
  bool still_ = false;
};

} // namespace

classifier_ptr make_vp8_classifier(const core::codec_description&) { return std::make_unique<vp8_classifier>(); }
classifier_ptr make_vp9_classifier(const core::codec_description&) { return std::make_unique<vp9_classifier>(); }

classifier_ptr make_av1_classifier(const core::codec_description& codec) {
  return std::make_unique<av1_classifier>(codec.extradata);
}

} // namespace penstock::media
