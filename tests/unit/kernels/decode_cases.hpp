#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/convert.hpp"
#include "kernels/decode_objects.hpp"

/// Batches of outputs as every kind of head reads them, made up: what implementations of `decode_batch` must agree on.
namespace penstock::tests {

struct decode_output {
  core::element_type type = core::element_type::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  [[nodiscard]] core::const_tensor_view view() const { return {bytes.data(), type, shape}; }
};

struct decode_case {
  std::string name;
  std::optional<kernels::object_spec> objects{};
  std::optional<kernels::class_spec> classes{};
  std::vector<decode_output> outputs{};
  std::vector<kernels::geometry> geometries{};

  [[nodiscard]] std::size_t max_objects() const { return objects ? objects->max_objects : classes->top_k; }

  [[nodiscard]] std::vector<core::const_tensor_view> views() const {
    std::vector<core::const_tensor_view> views;
    for (const auto& o : outputs) views.push_back(o.view());
    return views;
  }

  /// The job, with table and workspace still to be given.
  [[nodiscard]] kernels::decode_batch job(std::span<const core::const_tensor_view> views) const {
    return {objects ? &*objects : nullptr, classes ? &*classes : nullptr, views, geometries, {}, {}};
  }
};

/// A table in host memory.
struct host_table {
  std::vector<std::uint32_t> counts;
  std::vector<kernels::device_object> objects;
  std::size_t max_objects;

  explicit host_table(const decode_case& c)
      : counts(c.geometries.size(), 12345),
        objects(c.geometries.size() * c.max_objects()), max_objects{c.max_objects()} {}

  [[nodiscard]] kernels::object_table view() { return {counts.data(), objects.data(), counts.size(), max_objects}; }
};

class decode_case_maker {
 public:
  decode_case_maker(core::element_type type, unsigned seed) : type_{type}, random_{seed} {}

  /// A number of [0, 1): one of few, so that some are equal, or one of many.
  float unit() { return static_cast<float>(levels_ == 0 ? random_() >> 8U : random_() % levels_) / divisor(); }

  std::vector<decode_case> all();

 private:
  [[nodiscard]] float divisor() const { return levels_ == 0 ? 0x1p24F : static_cast<float>(levels_); }

  template <class F>
  decode_output output(std::vector<std::int64_t> shape, const F& value) {
    decode_output o{type_, std::move(shape), {}};
    std::vector<float> values(o.view().elements());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = value(i);
      if (odd_ && random_() % 50 == 0) values[i] = std::numeric_limits<float>::quiet_NaN();
      if (odd_ && random_() % 50 == 0) values[i] = -std::numeric_limits<float>::infinity();
    }
    o.bytes.resize(values.size() * core::size_of(type_));
    if (type_ == core::element_type::f16) {
      std::vector<std::uint16_t> half(values.size());
      kernels::to_f16(values, half);
      std::memcpy(o.bytes.data(), half.data(), o.bytes.size());
    } else {
      std::memcpy(o.bytes.data(), values.data(), o.bytes.size());
    }
    return o;
  }

  template <class T>
  decode_output labels(core::element_type type, std::int64_t items, std::int64_t anchors) {
    decode_output o{type, {items, anchors}, {}};
    std::vector<T> values(o.view().elements());
    for (auto& v : values) v = static_cast<T>(random_() % 90);
    o.bytes.resize(values.size() * sizeof(T));
    std::memcpy(o.bytes.data(), values.data(), o.bytes.size());
    return o;
  }

  /// Box number k of 4 in tensor pixels, of a tensor of 64 × 64.
  float center_number(std::size_t k) { return k < 2 ? 64 * unit() : 2 + 20 * unit(); }

  /// Few scores are high.
  float score() {
    const auto s = unit();
    return s * s;
  }

  decode_case with_geometries(decode_case c, std::int64_t items) {
    for (std::int64_t i = 0; i < items; ++i) {
      const auto how = i % 2 == 0 ? kernels::fit::letterbox : kernels::fit::crop;
      c.geometries.push_back(kernels::map(how, 640 - 3 * static_cast<int>(i), 480, 64, 64));
    }
    c.name += type_ == core::element_type::f16 ? ", f16" : ", f32";
    return c;
  }

  decode_case yolov8(std::int64_t items, std::int64_t classes, std::int64_t anchors, kernels::object_spec spec = {}) {
    const auto n = static_cast<std::size_t>(anchors);
    spec.anchors = n;
    spec.classes = static_cast<std::size_t>(classes);
    spec.boxes = {0, 0, 1, n};
    spec.scores = {0, 4 * n, 1, n};
    const auto channels = static_cast<std::size_t>(4 + classes);
    const auto value = [&](std::size_t i) {
      const auto channel = i / n % channels;
      return channel < 4 ? center_number(channel) : score();
    };
    return with_geometries(
        {.name = "planes", .objects = spec, .outputs = {output({items, 4 + classes, anchors}, value)}}, items);
  }

  decode_case yolov5(std::int64_t items, std::int64_t classes, std::int64_t anchors, kernels::object_spec spec = {}) {
    const auto row = static_cast<std::size_t>(5 + classes);
    spec.anchors = static_cast<std::size_t>(anchors);
    spec.classes = static_cast<std::size_t>(classes);
    spec.boxes = {0, 0, row, 1};
    spec.objectness = {0, 4, row, 1};
    spec.scores = {0, 5, row, 1};
    const auto value = [&](std::size_t i) { return i % row < 4 ? center_number(i % row) : score(); };
    return with_geometries({.name = "rows", .objects = spec, .outputs = {output({items, anchors, 5 + classes}, value)}},
                           items);
  }

  decode_case ssd(std::int64_t items, std::int64_t classes, std::int64_t anchors) {
    kernels::object_spec spec;
    spec.anchors = static_cast<std::size_t>(anchors);
    spec.classes = static_cast<std::size_t>(classes - 1);
    spec.first_class = 1;
    spec.scores = {0, 1, static_cast<std::size_t>(classes), 1};
    spec.boxes = {1, 0, 4, 1};
    spec.coding = kernels::box_coding::corners;
    spec.relative = true;
    auto scores = output({items, anchors, classes}, [&](std::size_t) { return score(); });
    auto boxes = output({items, anchors, 4}, [&](std::size_t i) { return i % 4 < 2 ? unit() / 2 : 0.4F + unit() / 2; });
    return with_geometries({.name = "ssd", .objects = spec, .outputs = {std::move(scores), std::move(boxes)}}, items);
  }

  decode_case fastestdet(std::int64_t items, std::int64_t classes) {
    constexpr std::int64_t rows = 18;
    constexpr std::int64_t columns = 22;
    constexpr std::size_t n = rows * columns;
    kernels::object_spec spec;
    spec.anchors = n;
    spec.columns = columns;
    spec.classes = static_cast<std::size_t>(classes);
    spec.objectness = {0, 0, 1, n};
    spec.boxes = {0, n, 1, n};
    spec.scores = {0, 5 * n, 1, n};
    spec.coding = kernels::box_coding::fastestdet;
    spec.rule = kernels::score_rule::weighted_product;
    const auto channels = static_cast<std::size_t>(5 + classes);
    const auto value = [&](std::size_t i) {
      const auto channel = i / n % channels;
      return channel > 0 && channel < 5 ? 4 * unit() - 3 : unit();
    };
    const auto levels = std::exchange(levels_, 0U); // no two scores that only rounding tells apart
    auto grid = output({items, 5 + classes, rows, columns}, value);
    levels_ = levels;
    return with_geometries({.name = "fastestdet", .objects = spec, .outputs = {std::move(grid)}}, items);
  }

  decode_case queries(std::int64_t items, core::element_type label, std::size_t most) {
    constexpr std::int64_t n = 300;
    kernels::object_spec spec;
    spec.anchors = n;
    spec.suppress = false;
    spec.max_objects = most;
    spec.labels = {0, 0, 1, 1};
    spec.boxes = {1, 0, 4, 1};
    spec.scores = {2, 0, 1, 1};
    spec.coding = kernels::box_coding::corners;
    auto classes = label == core::element_type::i32 ? labels<std::int32_t>(label, items, n)
                                                    : labels<std::int64_t>(label, items, n);
    auto boxes = output({items, n, 4}, [&](std::size_t i) { return i % 4 < 2 ? 40 * unit() : 30 + 40 * unit(); });
    auto scores = output({items, n}, [&](std::size_t) { return unit(); });
    return with_geometries(
        {.name = "queries", .objects = spec, .outputs = {std::move(classes), std::move(boxes), std::move(scores)}},
        items);
  }

  decode_case query_rows(std::int64_t items, std::int64_t classes) {
    const auto row = static_cast<std::size_t>(4 + classes);
    kernels::object_spec spec;
    spec.anchors = 300;
    spec.classes = static_cast<std::size_t>(classes);
    spec.suppress = false;
    spec.relative = true;
    spec.boxes = {0, 0, row, 1};
    spec.scores = {0, 4, row, 1};
    auto rows = output({items, 300, 4 + classes}, [&](std::size_t) { return unit(); });
    return with_geometries({.name = "query rows", .objects = spec, .outputs = {std::move(rows)}}, items);
  }

  decode_case classifier(std::int64_t items, std::int64_t classes, bool probabilities, std::size_t top_k, float least) {
    const kernels::class_spec spec{0, static_cast<std::size_t>(classes), least, top_k};
    const auto value = [&](std::size_t i) {
      if (probabilities) return i % static_cast<std::size_t>(classes) < 8 ? 0.125F : 0.0F;
      return 8 * unit() - 4;
    };
    return with_geometries({.name = "classes", .classes = spec, .outputs = {output({items, classes}, value)}}, items);
  }

  core::element_type type_;
  std::mt19937 random_;
  unsigned levels_ = 64; ///< how many values there are, 0 for as many as numbers can tell apart
  bool odd_ = false;     ///< whether some values are not numbers
};

inline std::vector<decode_case> decode_case_maker::all() {
  std::vector<decode_case> cases;
  const auto add = [&](decode_case c, const std::string& what = {}) {
    c.name += what.empty() ? "" : ", " + what;
    cases.push_back(std::move(c));
  };
  for (const unsigned levels : {64U, 0U}) {
    levels_ = levels;
    for (const std::int64_t items : {1, 3, 64}) {
      add(yolov8(items, 7, 257));
      add(yolov8(items, 80, 256));
      add(yolov5(items, 7, 257));
      add(yolov5(items, 80, 131));
      add(ssd(items, 21, 300));
      add(fastestdet(std::min<std::int64_t>(items, 3), 80)); // powers differ in the last bit, so few
      add(queries(items, core::element_type::i64, 300));
      add(query_rows(items, 80));
      add(classifier(items, 1000, false, 5, 0));
    }
    kernels::object_spec spec;
    spec.score = 0;
    spec.max_objects = 50;
    add(yolov8(2, 3, 3000, spec), "all pass, 50 at most");
    add(yolov5(2, 20, 1500, spec), "all pass, 50 at most");
    spec.max_objects = 3000;
    spec.max_candidates = 1100;
    add(yolov8(2, 80, 3000, spec), "all pass, 1100 candidates");
    spec = {};
    spec.score = 2;
    add(yolov8(3, 7, 512, spec), "none passes");
    add(yolov5(3, 12, 77, spec), "none passes");
    spec = {};
    spec.class_agnostic = true;
    spec.iou = 0.2F;
    add(yolov8(3, 7, 512, spec), "agnostic");
    add(queries(3, core::element_type::i32, 20), "20 at most");
    add(classifier(3, 3000, false, 2500, 1e-4F), "2500 of them");
    add(classifier(3, 10, false, 20, 0.05F), "more than there are");
    add(classifier(3, 1000, true, 10, 0.01F), "probabilities");
  }
  odd_ = true;
  for (const unsigned levels : {64U, 0U}) {
    levels_ = levels;
    add(yolov8(3, 7, 512), "odd values");
    add(yolov8(3, 1, 300), "odd values");
    add(yolov5(3, 7, 257), "odd values");
    add(yolov5(3, 40, 257), "odd values");
    add(queries(3, core::element_type::i64, 300), "odd values");
    add(query_rows(3, 30), "odd values");
    add(fastestdet(2, 10), "odd values");
    add(classifier(3, 100, false, 5, 0), "odd values");
  }
  odd_ = false;
  levels_ = 0;
  add(yolov8(3, 80, 8400), "as exported");
  return cases;
}

} // namespace penstock::tests
