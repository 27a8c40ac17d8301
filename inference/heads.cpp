#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "inference/head.hpp"

/// The table of heads: X(name, description, aliases…). A head NAME is a line here and a file heads/NAME.cpp, which
/// defines make_NAME.
#define PENSTOCK_HEADS(X)                                                                                              \
  X(yolov5, "YOLOv5, YOLOv7: one output [n,anchors,5+classes]", "yolov7")                                              \
  X(yolov8, "YOLOv8, YOLO11: one output [n,4+classes,anchors]", "yolo11")                                              \
  X(rtdetr, "RT-DETR: labels, boxes and scores, or one output [n,queries,4+classes]")                                  \
  X(ssd, "SSD-like: scores [n,anchors,classes] and boxes [n,anchors,4]")                                               \
  X(fastestdet, "FastestDet: one output [n,5+classes,rows,columns]")                                                   \
  X(classify, "classification: one output [n,classes], logits or probabilities")

namespace penstock::inference {

#define PENSTOCK_DECLARE_HEAD(name, ...) core::expected<head_ptr> make_##name(const model_info&, const head_options&);
PENSTOCK_HEADS(PENSTOCK_DECLARE_HEAD)

std::span<const head_entry> heads() {
#define PENSTOCK_HEAD_ENTRY(name, description, ...) head_entry{#name, {__VA_ARGS__}, description, &make_##name},
  static const std::array table{PENSTOCK_HEADS(PENSTOCK_HEAD_ENTRY)};
  return table;
}

core::expected<head_ptr> make_head(std::string_view name, const model_info& model, const head_options& options) {
  const auto fraction = [](float v) { return v >= 0 && v <= 1; };
  if (!fraction(options.score) || !fraction(options.iou) || options.max_objects == 0 || options.top_k == 0) {
    return core::fail(core::errc::bad_config,
                      fmt::format("score {} and iou {} must be 0 to 1, max_objects {} and top_k {} at least 1",
                                  options.score, options.iou, options.max_objects, options.top_k));
  }
  std::string names;
  for (const auto& head : heads()) {
    if (name == head.name || std::ranges::find(head.aliases, name) != head.aliases.end()) {
      return head.make(model, options);
    }
    for (const auto& known : head.aliases) names += fmt::format("{}, ", known);
    names += fmt::format("{}, ", head.name);
  }
  names.resize(names.size() - 2);
  return core::fail(core::errc::bad_config, fmt::format("head \"{}\" is unknown; there are {}", name, names));
}

} // namespace penstock::inference
