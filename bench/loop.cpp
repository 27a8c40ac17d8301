/// The loop that one writes by hand without Penstock: cv::VideoCapture (cv::imread for pictures), blobFromImage, ONNX
/// Runtime, a loop over the outputs, NMSBoxes per class. Writes one line of JSON a frame, as Penstock does, and frames
/// a second after the model is loaded.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>

#include "bench/arguments.hpp"
#include "bench/figures.hpp"
#include "bench/onnx_model.hpp"

namespace {

using namespace penstock::bench;

constexpr auto usage = "loop --model M.onnx --head fastestdet|ssd [--score S] [--iou I] [--out FILE] [--threads N]\n"
                       "            [--labels FILE] [--json FILE] --input VIDEO_OR_PICTURE [VIDEO_OR_PICTURE…]";

struct objects {
  std::vector<cv::Rect2d> boxes;
  std::vector<float> scores;
  std::vector<int> classes;

  void add(int class_index, float score, double x, double y, double w, double h) {
    boxes.emplace_back(x, y, w, h);
    scores.push_back(score);
    classes.push_back(class_index);
  }
};

/// Objectness, offsets, sizes and 80 class scores in planes of 22 × 22 cells.
objects decode_fastestdet(const std::vector<Ort::Value>& outputs, const onnx_model&, float least, cv::Size frame) {
  const auto shape = outputs[0].GetTensorTypeAndShapeInfo().GetShape();
  const auto rows = static_cast<int>(shape[2]);
  const auto columns = static_cast<int>(shape[3]);
  const auto rows_f = static_cast<float>(rows);
  const auto columns_f = static_cast<float>(columns);
  const auto* data = outputs[0].GetTensorData<float>();
  const auto sigmoid = [](float v) { return 1 / (1 + std::exp(-v)); };
  objects found;
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < columns; ++x) {
      const auto at = [&](int channel) { return data[(channel * rows + y) * columns + x]; };
      int best = 5;
      for (int c = 6; c < shape[1]; ++c)
        if (at(c) > at(best)) best = c;
      const auto score = std::pow(at(0), 0.6F) * std::pow(at(best), 0.4F);
      if (score < least) continue;
      const double w = sigmoid(at(3)) * static_cast<float>(frame.width);
      const double h = sigmoid(at(4)) * static_cast<float>(frame.height);
      const double cx = (static_cast<float>(x) + std::tanh(at(1))) * static_cast<float>(frame.width) / columns_f;
      const double cy = (static_cast<float>(y) + std::tanh(at(2))) * static_cast<float>(frame.height) / rows_f;
      found.add(best - 5, score, cx - w / 2, cy - h / 2, w, h);
    }
  }
  return found;
}

/// Anchors × classes (0 is background) and anchors × (x1, y1, x2, y2), relative to the picture.
objects decode_ssd(const std::vector<Ort::Value>& outputs, const onnx_model& model, float least, cv::Size frame) {
  const std::size_t scores_at = model.outputs()[0] == "scores" ? 0 : 1;
  const auto* scores = outputs[scores_at].GetTensorData<float>();
  const auto* boxes = outputs[1 - scores_at].GetTensorData<float>();
  const auto shape = outputs[scores_at].GetTensorTypeAndShapeInfo().GetShape();
  objects found;
  for (std::int64_t i = 0; i < shape[1]; ++i, scores += shape[2], boxes += 4) {
    const auto* best = std::max_element(scores + 1, scores + shape[2]);
    if (*best < least) continue;
    const double x = boxes[0] * static_cast<float>(frame.width);
    const double y = boxes[1] * static_cast<float>(frame.height);
    found.add(static_cast<int>(best - scores), *best, x, y, boxes[2] * static_cast<float>(frame.width) - x,
              boxes[3] * static_cast<float>(frame.height) - y);
  }
  return found;
}

struct head {
  double score;
  double iou;
  cv::Scalar mean;
  double scale;
  bool rgb;
  objects (*decode)(const std::vector<Ort::Value>&, const onnx_model&, float, cv::Size);
};

const std::map<std::string, head> heads{
    {"fastestdet", {0.5, 0.45, cv::Scalar::all(0), 1.0 / 255, false, &decode_fastestdet}},
    {"ssd", {0.7, 0.3, cv::Scalar::all(127), 1.0 / 128, true, &decode_ssd}},
};

/// Indices of what is kept, class by class.
std::vector<int> nms_per_class(const objects& found, double least, double most_overlap) {
  std::map<int, std::vector<int>> of_class;
  for (std::size_t i = 0; i < found.classes.size(); ++i) of_class[found.classes[i]].push_back(static_cast<int>(i));
  std::vector<int> kept;
  for (const auto& [index, members] : of_class) {
    std::vector<cv::Rect2d> boxes;
    std::vector<float> scores;
    for (const auto i : members) {
      boxes.push_back(found.boxes[static_cast<std::size_t>(i)]);
      scores.push_back(found.scores[static_cast<std::size_t>(i)]);
    }
    std::vector<int> best;
    cv::dnn::NMSBoxes(boxes, scores, static_cast<float>(least), static_cast<float>(most_overlap), best);
    for (const auto i : best) kept.push_back(members[static_cast<std::size_t>(i)]);
  }
  return kept;
}

class detector {
 public:
  detector(const arguments& given, const head& h)
      : head_{h}, score_{given["score"].empty() ? h.score : given.number("score")},
        iou_{given["iou"].empty() ? h.iou : given.number("iou")}, model_{given["model"], given.integer("threads")} {
    std::ifstream labels{given["labels"]};
    for (std::string line; std::getline(labels, line);) labels_.push_back(line);
    if (!given["out"].empty()) out_.open(given["out"]);
  }

  void frame(const cv::Mat& picture, const std::string& stream, int seq, double pts_ms, const std::string& file = {}) {
    const auto blob =
        cv::dnn::blobFromImage(picture, head_.scale, {model_.width(), model_.height()}, head_.mean, head_.rgb);
    const auto outputs = model_.run(reinterpret_cast<float*>(blob.data));
    const auto found = head_.decode(outputs, model_, static_cast<float>(score_), picture.size());
    auto list = nlohmann::json::array();
    for (const auto k : nms_per_class(found, score_, iou_)) {
      const auto i = static_cast<std::size_t>(k);
      const auto box = found.boxes[i] & cv::Rect2d(0, 0, picture.cols, picture.rows);
      const auto class_index = static_cast<std::size_t>(found.classes[i]);
      list.push_back(
          {{"class", class_index}, {"score", found.scores[i]}, {"box", {box.x, box.y, box.width, box.height}}});
      if (class_index < labels_.size()) list.back()["label"] = labels_[class_index];
    }
    ++frames;
    if (!out_.is_open()) return;
    nlohmann::json line{{"stream", stream}, {"seq", seq}, {"pts_ms", pts_ms}, {"objects", std::move(list)}};
    if (!file.empty()) line["file"] = file;
    out_ << line << '\n';
  }

  /// False where the results could not be written.
  bool close() {
    out_.flush();
    return out_.good();
  }

  int frames = 0;

 private:
  head head_;
  double score_;
  double iou_;
  onnx_model model_;
  std::vector<std::string> labels_;
  std::ofstream out_;
};

/// A video is a stream named after its file; pictures are frames of one stream `pictures`.
void read(const std::string& input, detector& to, int& pictures) {
  const auto path = std::filesystem::path{input};
  static const std::vector<std::string> endings{".jpg", ".jpeg", ".png", ".webp", ".bmp"};
  if (std::find(endings.begin(), endings.end(), path.extension()) != endings.end()) {
    const auto picture = cv::imread(input);
    if (picture.empty()) throw std::runtime_error(input + ": cannot be read");
    to.frame(picture, "pictures", pictures++, 0, path.filename());
    return;
  }
  cv::VideoCapture video{input, cv::CAP_FFMPEG};
  if (!video.isOpened()) throw std::runtime_error(input + ": cannot be opened");
  cv::Mat picture;
  for (int seq = 0; video.read(picture); ++seq) to.frame(picture, path.stem(), seq, video.get(cv::CAP_PROP_POS_MSEC));
}

int run(const arguments& given, const head& h) {
  detector to{given, h};
  int pictures = 0;
  const stopwatch watch;
  read(given["input"], to, pictures);
  for (const auto& input : given.rest()) read(input, to, pictures);
  const auto figures = watch.figures(to.frames);
  if (!to.close()) throw std::runtime_error(given["out"] + ": cannot be written");
  if (given["json"] != "-") std::printf("%d frames, %.1f frames/s\n", to.frames, figures["frames_per_s"].get<double>());
  if (!write_figures(given["json"], figures)) throw std::runtime_error(given["json"] + ": cannot be written");
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const arguments given{argc,
                        argv,
                        {{"model", ""},
                         {"head", ""},
                         {"input", ""},
                         {"out", ""},
                         {"score", ""},
                         {"iou", ""},
                         {"threads", "1"},
                         {"labels", ""},
                         {"json", ""}},
                        usage};
  const auto h = heads.find(given["head"]);
  if (h == heads.end() || given["model"].empty() || given["input"].empty()) arguments::stop(usage);
  try {
    return run(given, h->second);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "loop: %s\n", e.what());
    return 1;
  }
}
