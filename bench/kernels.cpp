/// Figures of the kernels on one core: preprocessing beside OpenCV's cvtColor + resize + blobFromImage, and
/// postprocessing of a YOLOv8-sized output. Frames rotate through more memory than a core's caches hold, as decoded
/// frames do; `difference` is the mean distance from OpenCV's tensor in 1/255. `--json FILE` (`-`: standard output)
/// writes the figures as JSON.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/boxes.hpp"
#include "kernels/instruction_set.hpp"
#include "kernels/nms.hpp"
#include "kernels/preprocess.hpp"

namespace {

using namespace penstock;

struct figure {
  std::string name;
  double ms = 0;
  double opencv_ms = 0;  ///< 0: nothing to compare with
  double difference = 0; ///< mean of |value - OpenCV's value|, in 1/255
};

/// Median milliseconds of a call.
template <class F>
double median_ms(F&& call) {
  std::vector<double> times;
  for (int i = 0; i < 41; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + 20, times.end());
  return times[20];
}

/// I420 pictures one after another: discs of all sizes and colours, as sharp as a camera sees them, with some noise.
class pictures {
 public:
  pictures(int width, int height, int count) : width_{width}, height_{height} {
    cv::RNG random{7};
    for (int i = 0; i < count; ++i) {
      cv::Mat scene(height, width, CV_8UC3, cv::Scalar::all(90));
      for (int k = 0; k < 400; ++k) {
        const cv::Scalar color(random.uniform(0, 256), random.uniform(0, 256), random.uniform(0, 256));
        cv::circle(scene, {random.uniform(0, width), random.uniform(0, height)}, random.uniform(2, height / 8), color,
                   cv::FILLED, cv::LINE_AA);
      }
      cv::GaussianBlur(scene, scene, {3, 3}, 0);
      cv::Mat noise(height, width, CV_8UC3);
      random.fill(noise, cv::RNG::UNIFORM, 0, 6);
      scene += noise;
      cv::cvtColor(scene, all_.emplace_back(), cv::COLOR_BGR2YUV_I420);
    }
  }

  const cv::Mat& next() { return all_[at_++ % all_.size()]; }

  [[nodiscard]] core::frame_view view(const cv::Mat& m) const {
    const auto* y = m.data;
    const auto* u = y + static_cast<std::ptrdiff_t>(width_) * height_;
    const auto* v = u + static_cast<std::ptrdiff_t>(width_ / 2) * (height_ / 2);
    return {width_, height_, core::pixel_format::i420, {}, {}, {y, u, v}, {width_, width_ / 2, width_ / 2}};
  }

 private:
  int width_;
  int height_;
  std::vector<cv::Mat> all_;
  std::size_t at_ = 0;
};

figure preprocess_figure(int width, int height, int side, kernels::fit fit, kernels::filter filter) {
  pictures source(width, height, 8);
  kernels::preprocess_spec spec;
  spec.width_px = side;
  spec.height_px = side;
  spec.fit = fit;
  spec.filter = filter;
  const auto plan = kernels::preprocess_plan::make(spec, width, height, core::pixel_format::i420).value();
  std::vector<std::byte> workspace(plan.workspace_bytes());
  std::vector<float> tensor(static_cast<std::size_t>(3 * side * side));
  const std::vector<std::int64_t> shape{1, 3, side, side};
  const bool letterbox = fit == kernels::fit::letterbox;
  const bool area = filter == kernels::filter::area;
  figure f{std::to_string(width) + "x" + std::to_string(height) + " -> " + std::to_string(side) + "x" +
               std::to_string(side) + (letterbox ? " letterbox" : " stretch") + (area ? " area" : " bilinear"),
           0, 0, 0};
  f.ms = median_ms([&] {
    if (!plan.run(source.view(source.next()), {tensor.data(), core::element_type::f32, shape}, workspace)) std::abort();
  });
  const auto g = plan.geometry();
  const auto by_opencv = [&](const cv::Mat& picture) {
    cv::Mat rgb;
    cv::Mat small;
    cv::Mat boxed;
    cv::Mat blob;
    cv::cvtColor(picture, rgb, cv::COLOR_YUV2RGB_I420);
    cv::resize(rgb, small, {g.resized_width_px, g.resized_height_px}, 0, 0, area ? cv::INTER_AREA : cv::INTER_LINEAR);
    if (letterbox) {
      cv::copyMakeBorder(small, boxed, g.top_px, side - g.resized_height_px - g.top_px, g.left_px,
                         side - g.resized_width_px - g.left_px, cv::BORDER_CONSTANT, cv::Scalar::all(114));
    } else {
      boxed = small;
    }
    cv::dnn::blobFromImage(boxed, blob, 1.0 / 255);
    return blob;
  };
  f.opencv_ms = median_ms([&] { by_opencv(source.next()); });
  const auto& picture = source.next();
  if (!plan.run(source.view(picture), {tensor.data(), core::element_type::f32, shape}, workspace)) std::abort();
  const auto blob = by_opencv(picture);
  for (std::size_t i = 0; i < tensor.size(); ++i)
    f.difference += std::abs(tensor[i] - blob.ptr<float>()[i]) * 255 / static_cast<double>(tensor.size());
  return f;
}

std::vector<figure> box_figures() {
  constexpr std::size_t classes = 80;
  constexpr std::size_t anchors = 8400;
  std::mt19937 random{7};
  std::vector<float> scores(classes * anchors);
  for (auto& s : scores) s = static_cast<float>(random() % 1000) / 10'000;
  for (int i = 0; i < 500; ++i) scores[random() % scores.size()] = 0.2F + static_cast<float>(random() % 700) / 1000;
  std::vector<kernels::candidate> found;
  std::vector<figure> all;
  all.push_back({"best class, planar 80 x 8400", median_ms([&] {
                   found.clear();
                   kernels::best_class_planar(scores.data(), anchors, classes, anchors, nullptr, 0.25F, found);
                 })});
  all.push_back({"best class, interleaved 8400 x 80", median_ms([&] {
                   found.clear();
                   kernels::best_class_interleaved(scores.data(), classes, classes, anchors, nullptr, 0.25F, found);
                 })});
  std::vector<core::detection> boxes;
  for (int i = 0; i < 1000; ++i) {
    const auto coordinate = [&] { return static_cast<float>(random() % 600); };
    boxes.push_back({static_cast<std::int32_t>(random() % 4), static_cast<float>(random() % 1000) / 1000,
                     core::box{coordinate(), coordinate(), 60, 60}});
  }
  all.push_back({"nms of 1000 boxes", median_ms([&] {
                   auto copy = boxes;
                   kernels::nms(copy, {});
                 })});
  return all;
}

void write_json(std::ostream& out, const std::vector<figure>& figures) {
  out << "{\"instruction_set\": \"" << kernels::instruction_set() << "\", \"figures\": [";
  const char* separator = "";
  for (const auto& f : figures) {
    out << separator << "{\"name\": \"" << f.name << "\", \"ms\": " << f.ms << ", \"opencv_ms\": ";
    if (f.opencv_ms > 0) {
      out << f.opencv_ms << ", \"mean_difference\": " << f.difference << "}";
    } else {
      out << "null}";
    }
    separator = ", ";
  }
  out << "]}\n";
}

} // namespace

int main(int argc, char** argv) {
  std::string json;
  if (argc == 3 && std::string_view{argv[1]} == "--json") {
    json = argv[2];
  } else if (argc != 1) {
    std::fputs("usage: kernels [--json FILE]\n", stderr);
    return 64;
  }
  cv::setNumThreads(1);
  using kernels::filter;
  using kernels::fit;
  std::vector<figure> figures;
  for (const int side : {320, 352, 640})
    figures.push_back(preprocess_figure(1920, 1080, side, fit::stretch, filter::bilinear));
  figures.push_back(preprocess_figure(1920, 1080, 640, fit::letterbox, filter::bilinear));
  figures.push_back(preprocess_figure(1920, 1080, 352, fit::stretch, filter::area));
  figures.push_back(preprocess_figure(1920, 1080, 640, fit::stretch, filter::area));
  figures.push_back(preprocess_figure(640, 480, 640, fit::stretch, filter::bilinear));
  for (auto& f : box_figures()) figures.push_back(std::move(f));

  if (json != "-") {
    std::printf("instruction set %s\n%-45s %9s %9s %7s %10s\n", std::string{kernels::instruction_set()}.c_str(), "",
                "ms", "OpenCV ms", "times", "difference");
    for (const auto& f : figures) {
      std::printf("%-45s %9.3f", f.name.c_str(), f.ms);
      if (f.opencv_ms > 0) std::printf(" %9.3f %7.1f %10.3f", f.opencv_ms, f.opencv_ms / f.ms, f.difference);
      std::printf("\n");
    }
  }
  if (json == "-") {
    write_json(std::cout, figures);
  } else if (!json.empty()) {
    std::ofstream file{json};
    write_json(file, figures);
    if (!file.flush()) {
      std::fprintf(stderr, "%s: cannot be written\n", json.c_str());
      return 1;
    }
  }
  return 0;
}
