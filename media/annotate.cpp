#include "media/annotate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

#include "media/frames.hpp"

namespace penstock::media {

namespace {

using yuv = std::array<std::uint8_t, 3>;

/// A clear colour for each number; neighbours differ as much as they can (golden ratio of the hue circle).
cv::Vec3d rgb_of(std::int64_t number) {
  const double hue = std::fmod(0.33 + 0.61803398875 * static_cast<double>(number % 10'000), 1.0) * 6;
  const auto ramp = [&](double shift) { return std::clamp(std::fabs(std::fmod(hue + shift, 6.0) - 3) - 1, 0.0, 1.0); };
  const auto tone = [](double x) { return 0.12 + 0.88 * x; };
  return {tone(ramp(0)), tone(ramp(4)), tone(ramp(2))};
}

/// In the frame's own matrix and range.
yuv to_yuv(const cv::Vec3d& rgb, const core::frame_view& view) {
  const bool hd = view.matrix == core::color_matrix::bt709;
  const bool full = view.range == core::color_range::full;
  const double kr = hd ? 0.2126 : 0.299, kb = hd ? 0.0722 : 0.114;
  const double y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
  const double cb = (rgb[2] - y) / (2 * (1 - kb)), cr = (rgb[0] - y) / (2 * (1 - kr));
  const double chroma = full ? 255 : 224;
  return {cv::saturate_cast<std::uint8_t>(full ? 255 * y : 16 + 219 * y),
          cv::saturate_cast<std::uint8_t>(128 + chroma * cb), cv::saturate_cast<std::uint8_t>(128 + chroma * cr)};
}

/// Paints on the planes of an I420 frame. Rectangles are moved to even pixels, so that luma and chroma agree.
class painter {
 public:
  explicit painter(const core::frame_view& view) {
    for (std::size_t i = 0; i < 3; ++i) {
      const auto extent = plane_extent(view.format, view.width_px, view.height_px, static_cast<int>(i));
      planes_[i] = cv::Mat(extent.rows, extent.bytes, CV_8UC1, writable(view, i),
                           static_cast<std::size_t>(view.strides_bytes[i]));
    }
  }

  void fill(cv::Rect area, const yuv& color) {
    area = even(area);
    for (std::size_t i = 0; i < 3; ++i) {
      auto& plane = planes_[i];
      const auto part = (i == 0 ? area : half(area)) & cv::Rect({0, 0}, plane.size());
      if (!part.empty()) plane(part).setTo(color[i]);
    }
  }

  /// A frame of this thickness inside `area`.
  void outline(const cv::Rect& area, int thickness, const yuv& color) {
    const auto [x, y, w, h] = std::array{area.x, area.y, area.width, area.height};
    fill({x, y, w, thickness}, color);
    fill({x, y + h - thickness, w, thickness}, color);
    fill({x, y, thickness, h}, color);
    fill({x + w - thickness, y, thickness, h}, color);
  }

  /// Blends a colour in where `mask` is set; its top left corner moves to even pixels.
  void blend(const cv::Mat& mask, cv::Point at, const yuv& color) {
    at = {at.x & ~1, at.y & ~1};
    cv::Mat small;
    cv::resize(mask, small, {(mask.cols + 1) / 2, (mask.rows + 1) / 2}, 0, 0, cv::INTER_AREA);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& alpha = i == 0 ? mask : small;
      const auto corner = i == 0 ? at : at / 2;
      auto& plane = planes_[i];
      const auto part = cv::Rect(corner, alpha.size()) & cv::Rect({0, 0}, plane.size());
      for (int y = part.y; y < part.y + part.height; ++y) {
        auto* out = plane.ptr<std::uint8_t>(y);
        const auto* weight = alpha.ptr<std::uint8_t>(y - corner.y);
        for (int x = part.x; x < part.x + part.width; ++x) {
          const int a = weight[x - corner.x];
          out[x] = static_cast<std::uint8_t>((out[x] * (255 - a) + color[i] * a + 127) / 255);
        }
      }
    }
  }

 private:
  static cv::Rect even(const cv::Rect& r) {
    const cv::Point begin{r.x & ~1, r.y & ~1}, end{(r.x + r.width + 1) & ~1, (r.y + r.height + 1) & ~1};
    return {begin, end};
  }
  static cv::Rect half(const cv::Rect& r) { return {r.x / 2, r.y / 2, r.width / 2, r.height / 2}; }

  std::array<cv::Mat, 3> planes_;
};

/// A line of text as a mask, drawn at twice the size and reduced: the strokes come out smooth.
cv::Mat text_mask(const std::string& text, int height_px) {
  constexpr int font = cv::FONT_HERSHEY_DUPLEX;
  constexpr double unit = 22; ///< height of its capitals at scale 1
  const double scale = 2 * 0.62 * height_px / unit;
  const int thickness = std::max(1, static_cast<int>(std::lround(scale * 1.3)));
  int below = 0;
  const auto size = cv::getTextSize(text, font, scale, thickness, &below);
  cv::Mat large = cv::Mat::zeros(2 * height_px, size.width + 2, CV_8UC1);
  const int baseline = height_px + static_cast<int>(scale * unit / 2);
  cv::putText(large, text, {0, baseline}, font, scale, 255, thickness, cv::LINE_AA);
  cv::Mat mask;
  cv::resize(large, mask, {large.cols / 2, height_px}, 0, 0, cv::INTER_AREA);
  return mask;
}

std::string caption(const core::detection& object, std::span<const std::string> labels) {
  const auto index = static_cast<std::size_t>(object.class_index);
  auto text =
      object.class_index >= 0 && index < labels.size() ? labels[index] : fmt::format("class {}", object.class_index);
  if (object.track != core::no_track) text += fmt::format(" #{}", object.track);
  return fmt::format("{} {:.0f}%", text, 100 * object.score);
}

} // namespace

core::expected<core::frame_ptr> annotate(const core::frame_view& view, std::span<const core::detection> objects,
                                         std::span<const std::string> labels, const annotate_style& style) {
  if (view.width_px <= 0 || view.height_px <= 0 || !view.planes[0])
    return core::fail(core::errc::invalid_argument, "an empty picture");
  const auto range = view.format == core::pixel_format::rgb24 || view.format == core::pixel_format::bgr24
                         ? core::color_range::limited
                         : view.range;
  const auto frame = make_frame(view.width_px, view.height_px, core::pixel_format::i420, view.matrix, range);
  scaler convert;
  if (auto done = convert.convert(view, frame->view); !done) return tl::unexpected{std::move(done.error())};
  try {
    painter paint{frame->view};
    const double unit =
        style.scale > 0 ? style.scale : std::clamp(std::min(view.width_px, view.height_px) / 760.0, 0.6, 4.0);
    const int thickness = static_cast<int>(std::lround(1 + unit)) * 2;
    const int plate_height = std::max(12, static_cast<int>(std::lround(11 * unit)) * 2);
    const auto shadow = to_yuv({0, 0, 0}, frame->view);
    const cv::Rect whole{0, 0, view.width_px, view.height_px};
    for (const auto& object : objects) {
      const auto rgb = rgb_of(object.track != core::no_track ? object.track : object.class_index);
      const auto color = to_yuv(rgb, frame->view);
      const auto [left, top, width, height] = object.box;
      if (!std::isfinite(left + top + width + height)) continue;
      const auto pixel = [](float value, int limit) {
        return static_cast<int>(std::lround(std::clamp(value, -16.F, static_cast<float>(limit) + 16))) & ~1;
      };
      const cv::Point begin{pixel(left, whole.width), pixel(top, whole.height)};
      const cv::Point end{pixel(left + width, whole.width), pixel(top + height, whole.height)};
      const cv::Rect box{begin, end};
      paint.outline({box.x - 2, box.y - 2, box.width + 4, box.height + 4}, 2, shadow);
      paint.outline(box, thickness, color);
      if (!style.labels) continue;
      const auto mask = text_mask(caption(object, labels), plate_height);
      const int pad = plate_height / 3;
      cv::Rect plate{box.x - 2, box.y - plate_height, mask.cols + 2 * pad, plate_height};
      if (plate.y < 0) plate.y = std::max(0, box.y);
      plate.x = std::clamp(plate.x, 0, std::max(0, whole.width - plate.width));
      paint.fill(plate, color);
      const bool bright = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 0.5;
      paint.blend(mask, {plate.x + pad, plate.y},
                  to_yuv(bright ? cv::Vec3d{0, 0, 0} : cv::Vec3d{1, 1, 1}, frame->view));
    }
  } catch (const cv::Exception& error) {
    return core::fail(core::errc::internal, std::string{"OpenCV: "} + error.what());
  }
  return frame;
}

} // namespace penstock::media
