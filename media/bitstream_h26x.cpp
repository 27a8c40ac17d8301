#include <algorithm>

#include "media/bit_reader.hpp"
#include "media/bitstream_codecs.hpp"
#include "media/nal.hpp"

namespace penstock::media {

namespace {

using core::random_access;
using bytes_view = std::span<const std::byte>;

std::uint32_t byte_at(bytes_view b, std::size_t at) { return std::to_integer<std::uint32_t>(b[at]); }

/// Bytes of the length prefix that avcC or hvcC announce, 0 for start codes.
int length_bytes(bytes_view extradata, std::size_t at) {
  const bool boxed = extradata.size() > at && extradata[0] == std::byte{1};
  return boxed ? static_cast<int>(byte_at(extradata, at) & 3U) + 1 : 0;
}

class h264_classifier final : public packet_classifier {
 public:
  explicit h264_classifier(bytes_view extradata) : length_bytes_{length_bytes(extradata, 4)} {}

  packet_class classify(bytes_view bytes, container_flags flags) override {
    nal_reader units{bytes, length_bytes_};
    std::optional<std::uint32_t> recovery;
    while (const auto unit = units.next()) {
      const auto type = byte_at(*unit, 0) & 31U;
      if (type == 6) {
        if (const auto count = recovery_count(unit->subspan(1))) recovery = count;
      } else if (type == 5) {
        started_ = true;
        return {random_access::closed, false, true};
      } else if (type == 1 || type == 2) {
        return slice(*unit, recovery, flags);
      }
    }
    return {random_access::none, false, true};
  }

 private:
  packet_class slice(bytes_view unit, std::optional<std::uint32_t> recovery, container_flags flags) {
    bit_reader header{unit.subspan(1), true};
    (void)header.exp_golomb(); // first_mb_in_slice
    const auto slice_type = header.exp_golomb() % 5;
    const bool intra = slice_type == 2 || slice_type == 4;
    const bool exact = recovery == 0U && intra;
    // A stream that begins inside gradual intra refresh, or at an I picture that promises nothing, has no better start.
    const bool only_start = !started_ && (recovery || (intra && flags.key));
    if (exact || only_start) {
      started_ = true;
      return {random_access::open, false, true};
    }
    return {random_access::none, (byte_at(unit, 0) >> 5 & 3U) == 0, true};
  }

  /// recovery_frame_cnt of a recovery point message (D.1.8), if the SEI unit has one.
  static std::optional<std::uint32_t> recovery_count(bytes_view sei) {
    bit_reader reader{sei, true};
    while (!reader.exhausted()) {
      const auto number = [&] {
        std::uint32_t sum = 0;
        std::uint32_t byte = 0;
        do sum += byte = reader.bits(8);
        while (byte == 0xff);
        return sum;
      };
      const auto type = number();
      const auto size = number();
      if (reader.exhausted() || size > sei.size()) break;
      if (type == 6) {
        const auto count = reader.exp_golomb();
        return reader.exhausted() ? std::nullopt : std::optional{count};
      }
      reader.skip(static_cast<int>(size) * 8);
    }
    return std::nullopt;
  }

  int length_bytes_;
  bool started_ = false; ///< something decodable came before
};

class hevc_classifier final : public packet_classifier {
 public:
  explicit hevc_classifier(bytes_view extradata) : length_bytes_{length_bytes(extradata, 21)} {
    if (length_bytes_ == 0) {
      nal_reader units{extradata, 0};
      while (const auto unit = units.next()) parameter_set(*unit);
    } else {
      read_arrays(extradata);
    }
  }

  packet_class classify(bytes_view bytes, container_flags) override {
    nal_reader units{bytes, length_bytes_};
    while (const auto unit = units.next()) {
      if (unit->size() < 3 || layer(*unit) != 0) continue;
      parameter_set(*unit);
      const auto type = nal_type(*unit);
      if (type < 32) return picture(type, (byte_at(*unit, 1) & 7U) - 1);
    }
    return {random_access::none, false, true};
  }

 private:
  static std::uint32_t nal_type(bytes_view unit) { return byte_at(unit, 0) >> 1 & 63U; }
  static std::uint32_t layer(bytes_view unit) { return (byte_at(unit, 0) & 1U) << 5 | byte_at(unit, 1) >> 3; }

  packet_class picture(std::uint32_t type, std::uint32_t temporal_id) {
    if (type >= 16 && type <= 23) {
      const bool bla = type <= 18;
      const bool cra = type >= 21;
      rasl_shown_ = !bla && !(cra && !started_);
      started_ = true;
      return {cra ? random_access::open : random_access::closed, false, true};
    }
    const bool rasl = type == 8 || type == 9;
    const bool sublayer_reference = type > 14 || (type & 1U) != 0;
    return {random_access::none, !sublayer_reference && temporal_id == top_layer_, !rasl || rasl_shown_};
  }

  void parameter_set(bytes_view unit) {
    if (unit.size() >= 3 && layer(unit) == 0 && nal_type(unit) == 33) top_layer_ = byte_at(unit, 2) >> 1 & 7U;
  }

  /// The parameter sets of hvcC (ISO/IEC 14496-15, 8.3.3.1).
  void read_arrays(bytes_view b) {
    if (b.size() < 23) return;
    std::size_t at = 23;
    for (auto arrays = byte_at(b, 22); arrays > 0 && at + 3 <= b.size(); --arrays) {
      auto units = byte_at(b, at + 1) << 8 | byte_at(b, at + 2);
      at += 3;
      for (; units > 0 && at + 2 <= b.size(); --units) {
        const std::size_t size = byte_at(b, at) << 8 | byte_at(b, at + 1);
        at += 2;
        if (size > b.size() - at) return;
        parameter_set(b.subspan(at, size));
        at += size;
      }
    }
  }

  int length_bytes_;
  std::uint32_t top_layer_ = 255; ///< highest TemporalId; not known: nothing is disposable
  bool started_ = false;
  bool rasl_shown_ = true;
};

} // namespace

classifier_ptr make_h264_classifier(const core::codec_description& codec) {
  return std::make_unique<h264_classifier>(codec.extradata);
}

classifier_ptr make_hevc_classifier(const core::codec_description& codec) {
  return std::make_unique<hevc_classifier>(codec.extradata);
}

} // namespace penstock::media
