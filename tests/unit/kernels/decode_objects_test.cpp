#include "kernels/decode_objects.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "kernels/decode_classes.hpp"
#include "kernels/decode_scan.hpp"
#include "kernels/decode_workspace.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kernels/decode_cases.hpp"
#include "tests/unit/kernels/host_block.hpp"

namespace {

using namespace penstock;
using namespace penstock::kernels::decoding;
using core::element_type;

template <class T>
const T* start_of(const tests::decode_case& c, std::size_t output, std::size_t item, std::size_t first) {
  const auto view = c.outputs[output].view();
  return static_cast<const T*>(view.data) + item * (view.elements() / static_cast<std::size_t>(view.shape[0])) + first;
}

/// What the device's kernels do for an item, lane after lane. T: type of the numbers.
template <class T>
class emulated_item {
 public:
  emulated_item(const tests::decode_case& c, std::size_t item) : case_{c}, item_{item} {}

  unsigned objects(kernels::device_object* objects) {
    const auto& spec = *case_.objects;
    keys_.resize(spec.anchors);
    classes_.resize(spec.anchors);
    scan(spec);
    std::ranges::shuffle(keys_.begin(), keys_.begin() + count_, std::minstd_rand{7});
    const auto& g = case_.geometries[item_];
    const auto* boxes = start_of<T>(case_, spec.boxes.output, item_, spec.boxes.first);
    const auto box_of = [&](std::uint32_t anchor) {
      float raw[4];
      for (std::size_t k = 0; k < 4; ++k)
        raw[k] = to_float(boxes[anchor * spec.boxes.anchor_stride + k * spec.boxes.stride]);
      return to_source(tensor_box(spec, anchor, raw, g), g);
    };
    std::vector<kept_object> kept(plan_workspace(spec, 1).kept_room);
    const auto memory = std::make_unique<item_memory>();
    tests::host_block<item_lanes> block;
    return decode_candidates(block, *memory, spec, list(), count_, g, box_of, kept.data(), objects);
  }

  unsigned classes(kernels::device_object* objects) {
    const auto& spec = *case_.classes;
    keys_.resize(spec.classes);
    const auto memory = std::make_unique<class_memory>();
    tests::host_block<item_lanes> block;
    return decode_values(block, *memory, spec, start_of<T>(case_, spec.output, item_, 0), keys_.data(),
                         case_.geometries[item_], objects);
  }

 private:
  candidate_list list() { return {keys_.data(), classes_.data(), &count_}; }

  void scan(const kernels::object_spec& spec) {
    constexpr unsigned V = 16 / sizeof(T);
    score_view<T> from;
    from.scores = start_of<T>(case_, spec.scores.output, item_, spec.scores.first);
    if (const auto& o = spec.objectness) from.objectness = start_of<T>(case_, o->output, item_, o->first);
    if (const auto& l = spec.labels) {
      if (case_.outputs[l->output].type == element_type::i32) {
        from.labels32 = start_of<std::int32_t>(case_, l->output, item_, l->first);
      } else {
        from.labels64 = start_of<std::int64_t>(case_, l->output, item_, l->first);
      }
    }
    tests::host_warp warp;
    const auto least_class = least_class_score(spec.score);
    const auto anchors = static_cast<std::uint32_t>(spec.anchors);
    if (in_rows(spec)) {
      float tile[32][33];
      for (std::uint32_t a = 0; a < anchors; a += 32) scan_rows(warp, tile, spec, least_class, from, a, list());
    } else if (!spec.labels && spec.scores.anchor_stride == 1 && spec.anchors % V == 0) {
      for (std::uint32_t a = 0; a < anchors; a += 32 * V) scan_planes<V>(warp, spec, least_class, from, a, list());
    } else {
      for (std::uint32_t a = 0; a < anchors; a += 32) scan_planes<1>(warp, spec, least_class, from, a, list());
    }
  }

  const tests::decode_case& case_;
  std::size_t item_;
  std::vector<std::uint64_t> keys_{};
  std::vector<std::int32_t> classes_{};
  std::uint32_t count_ = 0;
};

template <class T>
unsigned emulate(const tests::decode_case& c, std::size_t item, kernels::device_object* objects) {
  emulated_item<T> emulated{c, item};
  return c.objects ? emulated.objects(objects) : emulated.classes(objects);
}

/// A small job that fits.
struct small_job {
  kernels::object_spec spec{};
  std::vector<float> numbers = std::vector<float>(2 * 6 * 10);
  std::vector<std::int64_t> shape{2, 6, 10};
  std::vector<core::const_tensor_view> views{{numbers.data(), element_type::f32, shape}};
  std::vector<kernels::geometry> geometries{2, kernels::map(kernels::fit::stretch, 64, 48, 32, 32)};
  std::vector<std::uint32_t> counts = std::vector<std::uint32_t>(2);
  std::vector<kernels::device_object> objects = std::vector<kernels::device_object>(2 * 10);

  small_job() {
    spec.anchors = 10;
    spec.classes = 2;
    spec.boxes = {0, 0, 1, 10};
    spec.scores = {0, 40, 1, 10};
  }

  [[nodiscard]] kernels::decode_batch job() {
    return {&spec, nullptr, views, geometries, {counts.data(), objects.data(), 2, 10}, {}};
  }
};

core::errc code_of(const core::expected<void>& result) {
  REQUIRE_FALSE(result);
  return result.error().code;
}

} // namespace

TEST_CASE("what the device's threads do gives the objects of the CPU") {
  for (const auto type : {element_type::f32, element_type::f16}) {
    std::size_t objects = 0;
    for (const auto& c : tests::decode_case_maker{type, 17}.all()) {
      INFO(c.name << ", " << c.geometries.size() << " items");
      tests::host_table expected{c};
      const auto views = c.views();
      auto job = c.job(views);
      job.table = expected.view();
      REQUIRE(kernels::cpu::decode(job));
      std::vector<kernels::device_object> found(c.max_objects());
      for (std::size_t item = 0; item < c.geometries.size(); ++item) {
        const auto n = type == element_type::f32 ? emulate<float>(c, item, found.data())
                                                 : emulate<half_bits>(c, item, found.data());
        REQUIRE(n == expected.counts[item]);
        objects += n;
        for (unsigned i = 0; i < n; ++i) {
          const auto& e = expected.objects[item * expected.max_objects + i];
          const auto& f = found[i];
          REQUIRE(f.class_index == e.class_index);
          REQUIRE(std::array{f.x, f.y, f.w, f.h} == std::array{e.x, e.y, e.w, e.h});
          if (c.objects) {
            REQUIRE(f.score == e.score);
          } else {
            REQUIRE(f.score == Approx(e.score).epsilon(1e-6)); // sums of exponentials in another order
          }
        }
      }
    }
    CHECK(objects > 10'000);
  }
}

TEST_CASE("halves become the numbers they are") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    float expected = 0;
    kernels::to_f32({&half, 1}, {&expected, 1});
    const auto found = to_float(half_bits{half});
    if (std::isnan(expected)) {
      REQUIRE(std::isnan(found));
    } else {
      REQUIRE(found == expected);
      REQUIRE(std::signbit(found) == std::signbit(expected));
    }
  }
}

TEST_CASE("the workspace holds every part of it") {
  kernels::object_spec spec;
  spec.anchors = 8401;
  const auto plan = plan_workspace(spec, 3);
  CHECK(plan.kept >= plan.keys + std::size_t{3} * 8401 * 8);
  CHECK(plan.classes >= plan.kept + std::size_t{3} * 300 * sizeof(kept_object));
  CHECK(plan.counts >= plan.classes + std::size_t{3} * 8401 * 4);
  CHECK(plan.bytes >= plan.counts + 12);
  CHECK(kernels::workspace_bytes(spec, 3) == plan.bytes);
  for (const auto offset : {plan.keys, plan.kept, plan.classes, plan.counts}) CHECK(offset % 256 == 0);
  CHECK(kernels::workspace_bytes(kernels::class_spec{.classes = 1000}, 4) >= 32'000);
}

TEST_CASE("a job whose parts do not fit each other is refused") {
  small_job good;
  REQUIRE(kernels::check(good.job()));
  REQUIRE(kernels::cpu::decode(good.job()));
  const std::vector<void (*)(small_job&)> breaks{
      [](small_job& j) { j.spec.anchors = 11; },
      [](small_job& j) { j.spec.classes = 3; },
      [](small_job& j) { j.spec.scores.output = 1; },
      [](small_job& j) { j.spec.boxes.first = 21; },
      [](small_job& j) {
        j.spec.objectness = {0, 51, 1, 1};
      },
      [](small_job& j) {
        j.spec.labels = {0, 0, 1, 1};
      }, // of f32
      [](small_job& j) { j.spec.coding = kernels::box_coding::fastestdet; },
      [](small_job& j) { j.spec.rule = kernels::score_rule::weighted_product; },
      [](small_job& j) { j.views[0].type = element_type::u8; },
      [](small_job& j) { j.views[0].data = nullptr; },
      [](small_job& j) { j.shape[0] = 1; },
      [](small_job& j) { j.geometries.resize(3); },
      [](small_job& j) { j.geometries[1].source_width_px = 0; },
  };
  for (std::size_t i = 0; i < breaks.size(); ++i) {
    INFO("break " << i);
    small_job bad;
    breaks[i](bad);
    CHECK(code_of(kernels::check(bad.job())) == core::errc::invalid_argument);
    CHECK(code_of(kernels::cpu::decode(bad.job())) == core::errc::invalid_argument);
  }
  small_job bad;
  auto job = bad.job();
  job.table.max_objects = 9;
  CHECK(code_of(kernels::check(job)) == core::errc::invalid_argument);
  job = bad.job();
  job.objects = nullptr;
  CHECK(code_of(kernels::check(job)) == core::errc::invalid_argument);
  const kernels::class_spec classes{0, 61, 0, 5};
  job.classes = &classes;
  CHECK(code_of(kernels::check(job)) == core::errc::invalid_argument);

  std::vector<core::detection> objects;
  const auto& g = bad.geometries[0];
  CHECK(code_of(kernels::cpu::decode_item(bad.spec, bad.views, 2, g, objects)) == core::errc::invalid_argument);
  bad.views[0].type = element_type::f16;
  CHECK(code_of(kernels::cpu::decode_item(bad.spec, bad.views, 0, g, objects)) == core::errc::invalid_argument);
}
