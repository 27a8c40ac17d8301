#include "inference/batch_ring.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/format_shape.hpp"
#include "kernels/preprocess_batch.hpp"
#include "tests/catch.hpp"
#include "tests/unit/inference/checking_device.hpp"
#include "tests/unit/inference/checking_session.hpp"

using namespace penstock;
using core::errc;
using core::memory_kind;
using inference::batch_ring;
using inference::batch_ring_config;
using kind = tests::checking_model::kind;

namespace {

/// A frame, and what must come of it: objects or an error.
struct sample {
  core::frame_ptr frame;
  std::vector<core::detection> expected;
  std::optional<errc> error;
};

/// A device, a model on it, and frames for them.
struct rig {
  explicit rig(std::uint64_t s) : seed{s}, random{s}, device{std::make_shared<tests::checking_device>(s)} {
    const auto layout = pick(2) == 0 ? core::tensor_layout::nchw : core::tensor_layout::nhwc;
    const auto type = std::array{core::element_type::f32, core::element_type::f16, core::element_type::u8}[pick(3)];
    model.what = std::array{kind::objects, kind::classes, kind::plain}[pick(3)];
    model.half = pick(2) == 0;
    config.spec.width_px = 8 + static_cast<int>(pick(24));
    config.spec.height_px = 8 + static_cast<int>(pick(24));
    config.spec.layout = layout;
    config.spec.type = type;
    if (type == core::element_type::u8) config.spec.scale = {1, 1, 1};
    model.input = {0, layout, type, 3, config.spec.width_px, config.spec.height_px};
    config.batch = 1 + pick(4);
    config.lanes = 1 + pick(4);
    model.fixed_batch = pick(2) == 0 ? 0 : static_cast<std::int64_t>(config.batch + pick(2));
    config.staging_bytes = pick(2) * 4096 * pick(40);
    config.input = model.input;
    config.device = device;
    make_session();
  }

  /// After changes of `model`.
  void make_session() {
    session = std::make_shared<tests::checking_session>(device, model);
    config.session = session;
    config.head = model.head();
  }

  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random() % n); }

  [[nodiscard]] std::unique_ptr<batch_ring> make() const {
    auto ring = batch_ring::make(config);
    INFO((ring ? "" : ring.error().message));
    REQUIRE(ring);
    return *std::move(ring);
  }

  sample make_sample(memory_kind where) {
    sample s;
    auto f = std::make_shared<core::frame>();
    auto& view = f->view;
    view.width_px = 1 + static_cast<int>(pick(70));
    view.height_px = 1 + static_cast<int>(pick(50));
    view.format = static_cast<core::pixel_format>(pick(8));
    view.matrix = static_cast<core::color_matrix>(pick(2));
    view.range = static_cast<core::color_range>(pick(2));
    const auto shape = kernels::shape_of(view.format);
    // even, so that pairs of chroma stay aligned as decoders align them
    const auto padding = 2 * pick(40);
    const auto upside_down = where == memory_kind::host && pick(4) == 0;
    std::array<std::size_t, 3> at{};
    std::size_t bytes = 0;
    for (std::size_t p = 0; p < shape.planes; ++p) {
      const auto rows = static_cast<std::size_t>(shape.height(view.height_px, p));
      auto stride = static_cast<std::size_t>(shape.row_bytes(view.width_px, p)) + padding;
      if (pick(3) == 0) stride = (stride + 255) / 256 * 256;
      bytes = (bytes + 255) / 256 * 256;
      at[p] = bytes + (upside_down ? (rows - 1) * stride : 0);
      view.strides_bytes[p] = static_cast<std::ptrdiff_t>(stride) * (upside_down ? -1 : 1);
      bytes += rows * stride;
    }
    std::vector<std::byte> pixels(bytes);
    for (auto& b : pixels) b = static_cast<std::byte>(random());
    const auto place = [&](std::byte* memory, memory_kind kind) {
      for (std::size_t p = 0; p < shape.planes; ++p)
        view.planes[p] = reinterpret_cast<const std::uint8_t*>(memory + at[p]);
      view.memory = kind;
    };
    place(pixels.data(), memory_kind::host);
    s.expected = expect(view);
    if (where == memory_kind::device) {
      auto memory = device->allocate(bytes, memory_kind::device);
      REQUIRE(memory);
      place(memory->data(), memory_kind::device);
      device->write_by_default_stream(memory->data(), std::move(pixels));
      f->owner = std::make_shared<kernels::buffer>(*memory);
    } else {
      auto memory = std::make_shared<std::vector<std::byte>>(std::move(pixels));
      place(memory->data(), memory_kind::host);
      f->owner = memory;
    }
    s.frame = f;
    return s;
  }

  sample make_broken_sample() {
    auto s = make_sample(memory_kind::host);
    auto broken = *s.frame;
    if (pick(2) == 0) {
      broken.view.planes[0] = nullptr;
    } else {
      broken.view.width_px = 0;
    }
    return {std::make_shared<core::frame>(broken), {}, errc::invalid_argument};
  }

  /// 1 to `batch` frames of both kinds of memory, and now and then a broken one.
  std::vector<sample> make_batch() {
    std::vector<sample> all;
    const auto n = 1 + pick(config.batch);
    for (std::size_t i = 0; i < n; ++i) {
      all.push_back(pick(12) == 0 ? make_broken_sample()
                                  : make_sample(pick(2) == 0 ? memory_kind::host : memory_kind::device));
    }
    return all;
  }

  /// The plain way: the kernel's twin into one slot, the model's numbers, the head.
  [[nodiscard]] std::vector<core::detection> expect(const core::frame_view& view) const {
    const auto shape = model.input.shape(1);
    core::tensor_view slot{nullptr, model.input.type, shape, memory_kind::host};
    std::vector<std::byte> image(slot.size_bytes());
    slot.data = image.data();
    auto ok = kernels::cpu::preprocess({config.spec, {&view, 1}, slot, 0});
    INFO((ok ? "" : ok.error().message));
    REQUIRE(ok);
    return model.expected(image, kernels::map(config.spec, view.width_px, view.height_px));
  }

  void check_clean() const {
    const auto problems = device->problems();
    INFO("seed " << seed << ": " << (problems.empty() ? "" : problems.front()));
    CHECK(problems.empty());
  }

  std::uint64_t seed;
  std::mt19937_64 random;
  std::shared_ptr<tests::checking_device> device;
  tests::checking_model model;
  std::shared_ptr<tests::checking_session> session;
  batch_ring_config config;
};

std::vector<core::frame_ptr> frames_of(const std::vector<sample>& batch) {
  std::vector<core::frame_ptr> frames;
  for (const auto& s : batch) frames.push_back(s.frame);
  return frames;
}

void check_result(const core::expected<inference::batch_result>& result, const std::vector<sample>& batch) {
  INFO((result ? "" : result.error().message));
  REQUIRE(result);
  REQUIRE(result->items.size() == batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& item = result->items[i];
    INFO("item " << i << (item.objects ? "" : ": " + item.objects.error().message));
    REQUIRE(item.objects.has_value() == !batch[i].error);
    if (batch[i].error) {
      CHECK(item.objects.error().code == *batch[i].error);
    } else {
      CHECK(*item.objects == batch[i].expected);
    }
  }
}

/// A batch under way, as a user of the ring sees it. Its frames are the ring's alone.
struct under_way {
  std::vector<sample> batch;
  std::shared_ptr<int> done = std::make_shared<int>(0); ///< how often the ring has said so
};

/// Starts the batch, and forgets the frames.
core::expected<void> start(batch_ring& ring, std::size_t lane, under_way& u) {
  auto frames = frames_of(u.batch);
  for (auto& s : u.batch) s.frame.reset();
  return ring.start(lane, std::move(frames), [done = u.done] { ++*done; });
}

/// One batch there and back.
void check_round(rig& r, batch_ring& ring, std::size_t lane) {
  under_way u{r.make_batch()};
  auto ok = start(ring, lane, u);
  INFO((ok ? "" : ok.error().message));
  REQUIRE(ok);
  check_result(ring.collect(lane), u.batch);
  CHECK(*u.done == 1);
}

} // namespace

TEST_CASE("batches give what their frames give alone, in whatever order the device and the caller go on") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    rig r{seed};
    INFO("seed " << seed);
    const auto ring = r.make();
    std::vector<std::optional<under_way>> lanes(ring->lanes());
    for (int turn = 0; turn < 24; ++turn) {
      const auto lane = r.pick(lanes.size());
      auto& here = lanes[lane];
      if (!here) {
        here.emplace(under_way{r.make_batch()});
        REQUIRE(start(*ring, lane, *here));
      } else if (*here->done == 1 || r.pick(3) == 0) {
        const auto told = *here->done == 1;
        const auto blocked = r.device->blocked();
        check_result(ring->collect(lane), here->batch);
        CHECK(*here->done == 1);
        if (told) CHECK(r.device->blocked() == blocked);
        here.reset();
      } else {
        r.device->step();
      }
    }
    if (r.pick(2) == 0) {
      for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
        if (lanes[lane]) check_result(ring->collect(lane), lanes[lane]->batch);
      }
    }
    r.check_clean();
  }
}

TEST_CASE("a ring that goes waits for its batches, and calls nobody afterwards") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    rig r{seed};
    INFO("seed " << seed);
    auto ring = r.make();
    std::vector<under_way> lanes(ring->lanes());
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      lanes[lane].batch = r.make_batch();
      REQUIRE(start(*ring, lane, lanes[lane]));
    }
    ring.reset();
    for (const auto& u : lanes) CHECK(*u.done == 1);
    while (r.device->step()) {
    }
    r.check_clean();
  }
}

TEST_CASE("starting blocks nobody: the device has done nothing yet, and every lane is under way") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    rig r{seed};
    r.config.staging_bytes = std::size_t{1} << 18U;
    const auto ring = r.make();
    const auto blocked = r.device->blocked();
    std::vector<under_way> lanes(ring->lanes());
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      lanes[lane].batch = r.make_batch();
      REQUIRE(start(*ring, lane, lanes[lane]));
    }
    CHECK(r.device->blocked() == blocked);
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) check_result(ring->collect(lane), lanes[lane].batch);
    r.check_clean();
  }
}

TEST_CASE("frames that staging memory does not take at once go in rounds") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    rig r{seed};
    INFO("seed " << seed);
    r.config.batch = 4;
    r.model.fixed_batch = 0;
    r.make_session();
    r.config.staging_bytes = 0;
    r.config.most_staging_bytes = 48 * 1024; // any frame of a rig, but not four
    const auto ring = r.make();
    for (int turn = 0; turn < 6; ++turn) check_round(r, *ring, r.pick(ring->lanes()));
    CHECK(ring->device_bytes() <= batch_ring::plan(r.config).device_bytes + ring->lanes() * 48 * 1024);
    r.check_clean();
  }
}

TEST_CASE("a frame that is larger than all staging memory is an error of its own") {
  rig r{3};
  r.config.batch = 2;
  r.model.fixed_batch = 0;
  r.make_session();
  r.config.staging_bytes = r.config.most_staging_bytes = 4096;
  const auto ring = r.make();
  auto small = r.make_sample(memory_kind::device);
  auto large = r.make_sample(memory_kind::host);
  while (large.frame->view.height_px < 20) large = r.make_sample(memory_kind::host);
  large.error = errc::too_large;
  under_way u{{large, small}};
  REQUIRE(start(*ring, 0, u));
  check_result(ring->collect(0), u.batch);
  r.check_clean();
}

TEST_CASE("a batch of nothing but bad frames comes back with their errors") {
  rig r{5};
  const auto ring = r.make();
  under_way u{{r.make_broken_sample()}};
  REQUIRE(start(*ring, 0, u));
  check_result(ring->collect(0), u.batch);
  CHECK(*u.done == 1);
  r.check_clean();
}

TEST_CASE("whatever call of the device fails, start says so, frees the frames, and the lane takes the next batch") {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    for (int call = 1;; ++call) {
      rig r{seed};
      INFO("seed " << seed << ", call " << call);
      const auto ring = r.make();
      under_way u{r.make_batch()};
      const std::weak_ptr<const core::frame> frame = u.batch.front().frame;
      const auto before = r.device->calls();
      r.device->fail_call(call, false);
      const auto ok = start(*ring, 0, u);
      if (r.device->calls() - before < call) {
        REQUIRE(ok);
        r.device->fail_call(0, false);
        check_result(ring->collect(0), u.batch);
        break;
      }
      REQUIRE(!ok);
      CHECK(ok.error().code == errc::engine);
      CHECK(frame.expired());
      while (r.device->step()) {
      }
      CHECK(*u.done == 0);
      check_round(r, *ring, 0);
      r.check_clean();
    }
  }
}

TEST_CASE("a device that fails for good is named by every later start, and nothing hangs") {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    for (int call = 1;; ++call) {
      rig r{seed};
      INFO("seed " << seed << ", call " << call);
      r.config.lanes = 2;
      auto ring = r.make();
      under_way other{r.make_batch()};
      REQUIRE(start(*ring, 1, other));
      under_way u{r.make_batch()};
      const auto before = r.device->calls();
      r.device->fail_call(call, true);
      const auto ok = start(*ring, 0, u);
      if (r.device->calls() - before < call) break;
      REQUIRE(!ok);
      CHECK(ok.error().code == errc::engine);
      CHECK(*u.done == 0);
      CHECK(*other.done == 1);
      const auto result = ring->collect(1);
      REQUIRE(!result);
      CHECK(result.error().code == errc::engine);
      for (const std::size_t lane : {0U, 1U}) {
        under_way next{r.make_batch()};
        const auto again = start(*ring, lane, next);
        REQUIRE(!again);
        CHECK(again.error().code == errc::engine);
      }
      ring.reset();
      r.check_clean();
    }
  }
}

TEST_CASE("an engine that fails fails the batch, not the lane") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    rig r{seed};
    const auto ring = r.make();
    under_way u{{r.make_sample(memory_kind::host)}};
    r.session->fail_next();
    const auto ok = start(*ring, 0, u);
    REQUIRE(!ok);
    CHECK(ok.error().message == "the engine failed");
    CHECK(*u.done == 0);
    check_round(r, *ring, 0);
    r.check_clean();
  }
}

TEST_CASE("a ring takes the memory that its plan says, more only for staging, and says when there is none") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    rig r{seed};
    INFO("seed " << seed);
    const auto plan = batch_ring::plan(r.config);
    const auto free = *r.device->free_bytes();
    {
      const auto ring = r.make();
      CHECK(ring->device_bytes() == plan.device_bytes);
      CHECK(ring->pinned_bytes() == plan.pinned_bytes);
      CHECK(*r.device->free_bytes() == free - plan.device_bytes - plan.pinned_bytes);
      for (int turn = 0; turn < 4; ++turn) check_round(r, *ring, 0);
      CHECK(ring->device_bytes() - plan.device_bytes == ring->pinned_bytes() - plan.pinned_bytes);
    }
    r.device->limit_memory(plan.device_bytes - 1);
    const auto none = batch_ring::make(r.config);
    REQUIRE(!none);
    CHECK(none.error().code == errc::too_large);
    CHECK(none.error().message.find(std::to_string(plan.device_bytes)) != std::string::npos);
    r.check_clean();
  }
}

TEST_CASE("staging memory that is not there fails the batch, and a smaller one still goes") {
  rig r{4};
  r.config.staging_bytes = 0;
  const auto ring = r.make();
  under_way u{{r.make_sample(memory_kind::host)}};
  auto next = r.make_sample(memory_kind::device);
  const auto free = *r.device->free_bytes();
  r.device->limit_memory((std::size_t{1} << 32U) - free);
  const auto ok = start(*ring, 0, u);
  REQUIRE(!ok);
  CHECK(ok.error().code == errc::too_large);
  r.device->limit_memory(std::size_t{1} << 32U);
  under_way again{{next}};
  REQUIRE(start(*ring, 0, again));
  check_result(ring->collect(0), again.batch);
  r.check_clean();
}

TEST_CASE("a ring is not made of parts that do not fit, nor started out of turn") {
  const rig r{7};
  const auto refused = [&](auto&& change) {
    auto config = r.config;
    change(config);
    const auto ring = batch_ring::make(config);
    return !ring && ring.error().code == errc::bad_config;
  };
  CHECK(refused([](auto& c) { c.device = nullptr; }));
  CHECK(refused([](auto& c) { c.session = nullptr; }));
  CHECK(refused([](auto& c) { c.head = nullptr; }));
  CHECK(refused([](auto& c) { c.lanes = 0; }));
  CHECK(refused([](auto& c) { c.batch = 0; }));
  CHECK(refused([](auto& c) { c.spec.width_px += 1; }));
  CHECK(refused([](auto& c) { c.spec.type = core::element_type::i8; }));
  CHECK(refused([](auto& c) { c.staging_bytes = c.most_staging_bytes + 1; }));
  CHECK(refused([](auto& c) { c.device = kernels::make_host_device(); }));

  rig fixed{8};
  fixed.model.fixed_batch = static_cast<std::int64_t>(fixed.config.batch);
  fixed.make_session();
  fixed.config.batch += 1;
  const auto more = batch_ring::make(fixed.config);
  REQUIRE(!more);
  CHECK(more.error().code == errc::bad_config);

  rig ok{9};
  const auto ring = ok.make();
  const auto wrong = [](const auto& e) { return !e && e.error().code == errc::invalid_argument; };
  CHECK(wrong(ring->collect(0)));
  CHECK(wrong(ring->collect(ring->lanes())));
  CHECK(wrong(ring->start(0, {}, [] {})));
  CHECK(wrong(ring->start(ring->lanes(), frames_of({ok.make_sample(memory_kind::host)}), [] {})));
  under_way u{{ok.make_sample(memory_kind::host)}};
  REQUIRE(start(*ring, 0, u));
  CHECK(wrong(ring->start(0, frames_of({ok.make_sample(memory_kind::host)}), [] {})));
  check_result(ring->collect(0), u.batch);
  ok.check_clean();
}
