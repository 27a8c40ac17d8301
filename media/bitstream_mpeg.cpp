#include <bit>
#include <optional>

#include "media/bit_reader.hpp"
#include "media/bitstream_codecs.hpp"
#include "media/nal.hpp"

namespace penstock::media {

namespace {

using core::random_access;
using bytes_view = std::span<const std::byte>;

// MPEG start codes are 00 00 01 code, so the NAL walker finds them; the code is a unit's first byte.

class mpeg4_classifier final : public packet_classifier {
 public:
  explicit mpeg4_classifier(bytes_view extradata) {
    nal_reader units{extradata, 0};
    while (const auto unit = units.next()) layer_header(*unit);
  }

  packet_class classify(bytes_view bytes, container_flags flags) override {
    nal_reader units{bytes, 0};
    bool closed = false;
    while (const auto unit = units.next()) {
      const auto code = std::to_integer<unsigned>(unit->front());
      layer_header(*unit);
      if (code == 0xb3) { // group of VOPs: time code, closed_gov
        bit_reader group{unit->subspan(1)};
        group.skip(18);
        closed = group.bit() != 0;
      } else if (code == 0xb6) {
        return picture(unit->subspan(1), closed);
      }
    }
    return {flags.key ? random_access::open : random_access::none, false, true};
  }

 private:
  packet_class picture(bytes_view unit, bool closed) const {
    bit_reader header{unit};
    const auto type = header.bits(2);
    bool coded = true;
    if (time_bits_) {
      while (header.bit()) {
      }
      header.skip(1 + *time_bits_ + 1);
      coded = header.bit() != 0 || header.exhausted();
    }
    const auto access = closed || low_delay_ ? random_access::closed : random_access::open;
    return {type == 0 ? access : random_access::none, type == 2, coded};
  }

  /// Video object layer: does it have B-VOPs, and how long are its time increments (6.2.3)?
  void layer_header(bytes_view unit) {
    const auto code = std::to_integer<unsigned>(unit.front());
    if (code < 0x20 || code > 0x2f) return;
    bit_reader header{unit.subspan(1)};
    header.skip(9);
    unsigned version = 1;
    if (header.bit()) {
      version = header.bits(4);
      header.skip(3);
    }
    if (header.bits(4) == 15) header.skip(16); // extended aspect ratio
    low_delay_ = false;
    if (header.bit()) {
      header.skip(2);
      low_delay_ = header.bit() != 0;
      if (header.bit()) header.skip(79);
    }
    const auto shape = header.bits(2);
    if (shape == 3 && version != 1) header.skip(4);
    header.skip(1);
    const auto resolution = header.bits(16);
    if (header.exhausted() || resolution == 0) return;
    time_bits_ = std::max(1, static_cast<int>(std::bit_width(resolution - 1)));
  }

  std::optional<int> time_bits_;
  bool low_delay_ = false;
};

class mpeg2_classifier final : public packet_classifier {
 public:
  packet_class classify(bytes_view bytes, container_flags flags) override {
    nal_reader units{bytes, 0};
    bool closed = false;
    while (const auto unit = units.next()) {
      const auto code = std::to_integer<unsigned>(unit->front());
      bit_reader header{unit->subspan(1)};
      if (code == 0xb8) { // group of pictures: time code, closed_gop
        header.skip(25);
        closed = header.bit() != 0;
      } else if (code == 0) {
        header.skip(10);
        const auto type = header.bits(3);
        const auto access = closed ? random_access::closed : random_access::open;
        return {type == 1 ? access : random_access::none, type == 3, true};
      }
    }
    return {flags.key ? random_access::open : random_access::none, false, true};
  }
};

} // namespace

classifier_ptr make_mpeg4_classifier(const core::codec_description& codec) {
  return std::make_unique<mpeg4_classifier>(codec.extradata);
}

classifier_ptr make_mpeg2_classifier(const core::codec_description&) { return std::make_unique<mpeg2_classifier>(); }

} // namespace penstock::media
