#include "media/synthetic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <random>

#include "media/barcode.hpp"
#include "media/frames.hpp"

namespace penstock::media {

namespace {

using core::errc;

constexpr std::array<std::string_view, 7> codecs{"h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "png"};

tl::unexpected<core::error> bad(std::string_view key, std::string_view value, std::string_view allowed) {
  return core::fail(errc::invalid_argument, fmt::format("synthetic: {}={} must be {}", key, value, allowed));
}

template <class T>
core::expected<void> number(std::string_view key, std::string_view text, T& target, T least, T most) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return bad(key, text, fmt::format("a number from {} to {}", least, most));
  target = value;
  return {};
}

core::expected<void> flag(std::string_view key, std::string_view text, bool& target) {
  if (text != "0" && text != "1") return bad(key, text, "0 or 1");
  target = text == "1";
  return {};
}

core::expected<void> set(synthetic_options& o, std::string_view key, std::string_view value) {
  if (key == "width") return number(key, value, o.width_px, 64, 8192);
  if (key == "height") return number(key, value, o.height_px, 48, 8192);
  if (key == "fps") return number(key, value, o.frames_per_s, 0.1, 1000.0);
  if (key == "frames") return number<std::uint64_t>(key, value, o.frames, 0, UINT32_MAX);
  if (key == "gop") return number(key, value, o.gop_frames, 1, 100'000);
  if (key == "bframes") return number(key, value, o.b_frames, 0, 16);
  if (key == "open_gop") return flag(key, value, o.open_gop);
  if (key == "seed") return number<std::uint64_t>(key, value, o.seed, 0, UINT64_MAX);
  if (key == "stream") return number<std::uint16_t>(key, value, o.stream, 0, UINT16_MAX);
  if (key == "live") return flag(key, value, o.live);
  if (key == "bitrate") return number<std::uint64_t>(key, value, o.bit_rate, 0, 1'000'000'000);
  if (key == "codec") {
    if (std::find(codecs.begin(), codecs.end(), value) == codecs.end())
      return bad(key, value, fmt::format("one of {}", fmt::join(codecs, ", ")));
    o.codec = value;
    return {};
  }
  return core::fail(errc::invalid_argument,
                    fmt::format("synthetic: no parameter '{}'; there are width, height, fps, frames, gop, bframes, "
                                "open_gop, codec, seed, stream, live, bitrate",
                                key));
}

/// A filled circle or box that bounces between the edges of the picture.
struct shape {
  double x, y, dx, dy, radius;
  bool round;
  std::array<std::uint8_t, 3> color;
};

std::array<shape, 6> shapes_of(const synthetic_options& o) {
  std::mt19937_64 rng{o.seed};
  const auto random = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(rng() >> 11) * 0x1p-53; // the same with every standard library
  };
  std::array<shape, 6> shapes{};
  for (auto& s : shapes) {
    s.radius = random(0.04, 0.14) * o.height_px;
    s.x = random(0, o.width_px);
    s.y = random(0, o.height_px);
    s.dx = random(-0.02, 0.02) * o.width_px;
    s.dy = random(-0.02, 0.02) * o.height_px;
    s.round = random(0, 1) < 0.5;
    for (auto& c : s.color) c = static_cast<std::uint8_t>(random(40, 220));
  }
  return shapes;
}

/// Position after `distance` between 0 and `length`, reflected at both ends.
double bounce(double distance, double length) {
  const double lap = std::fmod(std::fabs(distance), 2 * length);
  return lap < length ? lap : 2 * length - lap;
}

/// Fills the part of a plane that the shape covers; `scale` is 2 for chroma planes.
void fill(const core::frame_view& view, std::size_t plane, int scale, const shape& s, double cx, double cy) {
  const auto extent = plane_extent(view.format, view.width_px, view.height_px, static_cast<int>(plane));
  const double x = cx / scale, y = cy / scale, r = s.radius / scale;
  const int top = std::max(0, static_cast<int>(y - r));
  const int bottom = std::min(extent.rows, static_cast<int>(y + r) + 1);
  for (int row = top; row < bottom; ++row) {
    const double half = s.round ? std::sqrt(std::max(0.0, r * r - (row - y) * (row - y))) : r;
    const int left = std::clamp(static_cast<int>(x - half), 0, extent.bytes);
    const int right = std::clamp(static_cast<int>(x + half), left, extent.bytes);
    std::fill_n(writable(view, plane) + row * view.strides_bytes[plane] + left, right - left, s.color[plane]);
  }
}

} // namespace

core::expected<synthetic_options> parse_synthetic_uri(const std::string& uri) {
  constexpr std::string_view scheme = "synthetic://";
  if (!uri.starts_with(scheme)) return core::fail(errc::invalid_argument, uri + ": does not begin with synthetic://");
  synthetic_options options;
  std::string_view rest{uri};
  rest.remove_prefix(scheme.size());
  const auto query = rest.find('?');
  if (query != 0 && !rest.empty())
    return core::fail(errc::invalid_argument, uri + ": after synthetic:// come the parameters, ?key=value&…");
  rest.remove_prefix(std::min<std::size_t>(1, rest.size()));
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto value = pair.substr(std::min(equals + 1, pair.size()));
    if (auto done = set(options, pair.substr(0, equals), value); !done) return tl::unexpected{std::move(done.error())};
  }
  for (const auto& [key, value] : {std::pair{"width", options.width_px}, std::pair{"height", options.height_px}})
    if (value % 2 != 0) return bad(key, std::to_string(value), "even");
  return options;
}

core::frame_ptr draw_scene(const synthetic_options& options, std::uint32_t number) {
  const auto frame = make_frame(options.width_px, options.height_px, core::pixel_format::i420);
  const auto& view = frame->view;
  // a soft diagonal ramp that drifts, so that every block moves
  constexpr std::size_t period = 256;
  std::vector<std::uint8_t> ramp(static_cast<std::size_t>(options.width_px) + period);
  for (std::size_t i = 0; i < ramp.size(); ++i) {
    const auto phase = i % period;
    ramp[i] = static_cast<std::uint8_t>(60 + (phase < period / 2 ? phase : period - phase) / 2);
  }
  for (std::size_t plane = 0; plane < 3; ++plane) {
    const auto extent = plane_extent(view.format, view.width_px, view.height_px, static_cast<int>(plane));
    for (int row = 0; row < extent.rows; ++row) {
      auto* out = writable(view, plane) + row * view.strides_bytes[plane];
      const auto shift = (static_cast<std::size_t>(row) + 2 * std::size_t{number}) % period;
      if (plane == 0)
        std::copy_n(ramp.begin() + static_cast<std::ptrdiff_t>(shift), extent.bytes, out);
      else
        std::fill_n(out, extent.bytes, static_cast<std::uint8_t>(118 + 8 * plane));
    }
  }
  for (const auto& s : shapes_of(options)) {
    const double x = bounce(s.x + s.dx * number, options.width_px);
    const double y = bounce(s.y + s.dy * number, options.height_px);
    for (std::size_t plane = 0; plane < 3; ++plane) fill(view, plane, plane == 0 ? 1 : 2, s, x, y);
  }
  draw_barcode(view, {options.stream, number});
  return frame;
}

} // namespace penstock::media
