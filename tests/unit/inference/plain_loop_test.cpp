#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>

#include "inference/engine.hpp"
#include "inference/head.hpp"
#include "inference/image_input.hpp"
#include "kernels/nms.hpp"
#include "kernels/preprocess.hpp"
#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"
#include "tests/unit/inference/onnx_engines.hpp"
#include "tests/unit/inference/pictures.hpp"
#include "tests/unit/inference/tensors.hpp"

// What everybody writes by hand: OpenCV's resize, blobFromImage, its own network, a loop over the outputs, NMSBoxes.

using namespace penstock;

namespace {

struct model_case {
  std::string file;
  std::string head;
  float score;
  float iou;
  kernels::channel_order order;
  float mean;
  float scale;
  std::vector<core::detection> (*plain_decode)(const std::vector<cv::Mat>&, float score, cv::Size frame);
};

std::vector<core::detection> plain_fastestdet(const std::vector<cv::Mat>& outputs, float least, cv::Size frame) {
  const auto* data = outputs[0].ptr<float>();
  const auto sigmoid = [](float v) { return 1 / (1 + std::exp(-v)); };
  std::vector<core::detection> found;
  for (int y = 0; y < 22; ++y) {
    for (int x = 0; x < 22; ++x) {
      const auto at = [&](int channel) { return data[channel * 484 + y * 22 + x]; };
      int best = 0;
      for (int c = 1; c < 80; ++c) {
        if (at(5 + c) > at(5 + best)) best = c;
      }
      const auto score = std::pow(at(0), 0.6F) * std::pow(at(5 + best), 0.4F);
      if (score < least) continue;
      const auto w = sigmoid(at(3)) * static_cast<float>(frame.width);
      const auto h = sigmoid(at(4)) * static_cast<float>(frame.height);
      const auto cx = (static_cast<float>(x) + std::tanh(at(1))) / 22 * static_cast<float>(frame.width);
      const auto cy = (static_cast<float>(y) + std::tanh(at(2))) / 22 * static_cast<float>(frame.height);
      found.push_back({best, score, {cx - w / 2, cy - h / 2, w, h}});
    }
  }
  return found;
}

std::vector<core::detection> plain_rfb(const std::vector<cv::Mat>& outputs, float least, cv::Size frame) {
  const auto* scores = outputs[0].ptr<float>();
  const auto* boxes = outputs[1].ptr<float>();
  const auto width = static_cast<float>(frame.width);
  const auto height = static_cast<float>(frame.height);
  std::vector<core::detection> found;
  for (int i = 0; i < 4420; ++i) {
    const auto score = scores[2 * i + 1];
    const auto* b = boxes + 4 * i;
    if (score < least) continue;
    found.push_back({1, score, {b[0] * width, b[1] * height, (b[2] - b[0]) * width, (b[3] - b[1]) * height}});
  }
  return found;
}

const std::vector<model_case> models{
    {"coco-fastestdet-352.onnx", "fastestdet", 0.5F, 0.45F, kernels::channel_order::bgr, 0, 1.0F / 255,
     &plain_fastestdet},
    {"face-rfb-320.onnx", "ssd", 0.7F, 0.3F, kernels::channel_order::rgb, 127, 1.0F / 128, &plain_rfb},
};

std::vector<core::detection> plain_loop(const model_case& m, cv::dnn::Net& net, const inference::image_input& input,
                                        const inference::model_info& info, const tests::picture& picture) {
  const cv::Mat rgb{picture.height_px, picture.width_px, CV_8UC3, const_cast<std::uint8_t*>(picture.rgb.data())};
  cv::Mat small;
  cv::resize(rgb, small, {input.width_px, input.height_px});
  cv::Mat blob;
  cv::dnn::blobFromImage(small, blob, static_cast<double>(m.scale), {}, cv::Scalar::all(static_cast<double>(m.mean)),
                         m.order == kernels::channel_order::bgr);
  net.setInput(blob);
  std::vector<cv::Mat> outputs;
  std::vector<std::string> names;
  for (const auto& output : info.outputs) names.push_back(output.name);
  net.forward(outputs, names);
  const auto raw = m.plain_decode(outputs, m.score, rgb.size());
  std::vector<cv::Rect2d> boxes;
  std::vector<float> scores;
  for (const auto& d : raw) {
    // Classes far apart do not suppress each other.
    const auto shift = 1e5 * d.class_index;
    boxes.emplace_back(static_cast<double>(d.box.x) + shift, static_cast<double>(d.box.y), static_cast<double>(d.box.w),
                       static_cast<double>(d.box.h));
    scores.push_back(d.score);
  }
  std::vector<int> kept;
  cv::dnn::NMSBoxes(boxes, scores, m.score, m.iou, kept);
  std::vector<core::detection> objects;
  for (auto i : kept) objects.push_back(raw[static_cast<std::size_t>(i)]);
  return objects;
}

/// Preprocess, session, head.
std::vector<core::detection> through_penstock(const model_case& m, const inference::session& session,
                                              const inference::image_input& input, const inference::decoder_head& head,
                                              const tests::picture& picture) {
  kernels::preprocess_spec spec;
  spec.width_px = input.width_px;
  spec.height_px = input.height_px;
  spec.fit = kernels::fit::stretch;
  spec.order = m.order;
  spec.mean.fill(m.mean);
  spec.scale.fill(m.scale);
  core::frame_view frame;
  frame.width_px = picture.width_px;
  frame.height_px = picture.height_px;
  frame.format = core::pixel_format::rgb24;
  frame.planes[0] = picture.rgb.data();
  frame.strides_bytes[0] = 3 * static_cast<std::ptrdiff_t>(picture.width_px);
  const auto plan = kernels::preprocess_plan::make(spec, frame);
  REQUIRE(plan);
  const auto shape = input.shape(1);
  tests::f32_tensor slot{{shape.begin(), shape.end()}};
  std::vector<std::byte> workspace(plan->workspace_bytes());
  REQUIRE(plan->run(frame, {slot.values.data(), slot.type, slot.shape}, workspace));
  const auto outputs = session.run(slot.view());
  REQUIRE(outputs);
  std::vector<core::detection> objects;
  REQUIRE(head.decode(*outputs, 0, plan->geometry(), objects));
  return objects;
}

/// How many of the objects that are clearly there are among the others.
struct agreement {
  int found = 0;
  int wanted = 0;

  void count(const std::vector<core::detection>& objects, const std::vector<core::detection>& others,
             const model_case& m, const tests::picture& picture) {
    const kernels::geometry frame = kernels::map(kernels::fit::stretch, picture.width_px, picture.height_px, 1, 1);
    for (const auto& object : objects) {
      if (object.score < m.score + 0.05F) continue;
      ++wanted;
      found += std::ranges::any_of(others, [&](const core::detection& other) {
        return other.class_index == object.class_index && std::abs(other.score - object.score) <= 0.05F &&
               kernels::iou(frame.clip(other.box), frame.clip(object.box)) >= 0.85F;
      });
    }
  }

  [[nodiscard]] double share() const { return wanted == 0 ? 0 : static_cast<double>(found) / wanted; }
};

struct media_set {
  std::vector<std::string> files;
  std::string frames_per_s;
  double least_share;
};

void compare(const model_case& m, const media_set& media) {
  const auto file = tests::shared_file("models/" + m.file);
  PENSTOCK_NEEDS(file);
  auto session = inference::load_model("auto", file);
  REQUIRE(session);
  const auto input = inference::resolve_image_input((*session)->info(), 0, 0);
  REQUIRE(input);
  const auto info = inference::probe(**session, *input);
  REQUIRE(info);
  const auto head = inference::make_head(m.head, *info, {.score = m.score, .iou = m.iou});
  REQUIRE(head);
  auto net = cv::dnn::readNetFromONNX(file.string());
  agreement forth;
  agreement back;
  for (const auto& name : media.files) {
    const auto clip = tests::shared_file("media/" + name);
    PENSTOCK_NEEDS(clip);
    const auto pictures = tests::decode_pictures(clip, media.frames_per_s);
    if (pictures.empty()) {
      WARN("skipped: no ffmpeg program to decode " << name);
      return;
    }
    for (const auto& picture : pictures) {
      const auto plain = plain_loop(m, net, *input, *info, picture);
      const auto ours = through_penstock(m, **session, *input, **head, picture);
      forth.count(plain, ours, m, picture);
      back.count(ours, plain, m, picture);
    }
  }
  INFO(m.file << ": " << forth.found << " of " << forth.wanted << ", back " << back.found << " of " << back.wanted);
  CHECK(forth.wanted >= 10);
  CHECK(forth.share() >= media.least_share);
  CHECK(back.share() >= media.least_share);
}

} // namespace

TEST_CASE("objects on stills are those of a plain OpenCV loop") {
  compare(models[0], {{"fd1.jpg", "fd3.jpg", "face1.jpg", "face12.jpg"}, "", 0.9});
  compare(models[1], {{"face1.jpg", "face12.jpg"}, "", 0.9});
}

TEST_CASE("objects on clips are those of a plain OpenCV loop") {
  compare(models[0], {{"one-by-one-person-detection.mp4", "car-detection.mp4"}, "1", 0.98});
}

TEST_CASE("engines agree with each other on real models") {
  for (const auto& m : models) {
    const auto file = tests::shared_file("models/" + m.file);
    PENSTOCK_NEEDS(file);
    std::vector<std::vector<float>> first;
    for (const auto& name : tests::onnx_engines()) {
      auto session = inference::load_model(name, file);
      INFO(name << (session ? "" : session.error().message));
      REQUIRE(session);
      const auto input = inference::resolve_image_input((*session)->info(), 0, 0);
      REQUIRE(input);
      CHECK((*session)->info().max_batch == 1);
      const auto shape = input->shape(1);
      const auto images = tests::random_tensor({shape.begin(), shape.end()}, 0, 1, 5);
      auto outputs = (*session)->run(images.view());
      REQUIRE(outputs);
      for (std::size_t i = 0; i < outputs->tensors.size(); ++i) {
        auto values = tests::values_of(outputs->tensors[i]);
        if (i >= first.size()) {
          first.push_back(std::move(values));
          continue;
        }
        REQUIRE(values.size() == first[i].size());
        float worst = 0;
        for (std::size_t k = 0; k < values.size(); ++k) worst = std::max(worst, std::abs(values[k] - first[i][k]));
        CHECK(worst < 1e-3F);
      }
    }
  }
}
