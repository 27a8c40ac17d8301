#include "inference/batch_ring.hpp"

#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/inference/ring_rig.hpp"

using namespace penstock;
using namespace penstock::tests;

namespace {

/// The model in host memory, as engines are on a CPU.
class host_session final : public inference::session {
 public:
  explicit host_session(const checking_model& model) : model_{model}, info_{model.info()} {
    info_.memory = memory_kind::host;
    info_.device = "cpu";
  }

  using session::run;
  const inference::model_info& info() const noexcept override { return info_; }

  core::expected<inference::outputs> run(core::const_tensor_view images, void*) const override {
    struct memory {
      std::vector<std::int64_t> shape;
      std::vector<std::int64_t> sums_shape;
      std::vector<std::byte> numbers;
      std::vector<std::int32_t> sums;
    };
    const auto n = images.shape[0];
    if (images.memory != memory_kind::host) return core::fail(errc::invalid_argument, "not in host memory");
    auto kept = std::make_shared<memory>(memory{model_.shape(n), {n, 1}, {}, {}});
    const std::span all{static_cast<const std::byte*>(images.data), images.size_bytes()};
    const auto item_bytes = all.size() / static_cast<std::size_t>(n);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      const auto image = all.subspan(i * item_bytes, item_bytes);
      const auto numbers = model_.answer(image);
      kept->numbers.insert(kept->numbers.end(), numbers.begin(), numbers.end());
      kept->sums.push_back(checking_model::sum(image));
    }
    inference::outputs result{kept, {{kept->numbers.data(), core::element_type::f32, kept->shape}}};
    if (model_.what == kind::plain)
      result.tensors.push_back({kept->sums.data(), core::element_type::i32, kept->sums_shape});
    return result;
  }

 private:
  checking_model model_;
  inference::model_info info_;
};

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

TEST_CASE("on the host, too, each lane may have a thread of its own") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    rig r{seed};
    INFO("seed " << seed);
    r.model.half = false; // engines on the CPU give f32
    r.config.lanes = 3;
    r.config.device = kernels::make_host_device();
    r.config.session = std::make_shared<host_session>(r.model);
    r.config.head = r.model.head();
    const auto ring = r.make();
    struct work {
      std::vector<sample> batch;
      core::expected<inference::batch_result> result;
    };
    std::vector<std::vector<work>> lanes(r.config.lanes);
    for (auto& lane : lanes) {
      for (int i = 0; i < 6; ++i) {
        std::vector<sample> batch;
        const auto n = 1 + r.pick(r.config.batch);
        while (batch.size() < n)
          batch.push_back(r.pick(8) == 0 ? r.make_broken_sample() : r.make_sample(memory_kind::host));
        lane.push_back({std::move(batch), {}});
      }
    }
    std::vector<std::thread> threads;
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      threads.emplace_back([&, lane] {
        for (auto& w : lanes[lane]) {
          std::promise<void> done;
          auto ok = ring->start(lane, frames_of(w.batch), [&] { done.set_value(); });
          if (ok) done.get_future().wait();
          w.result = ok ? ring->collect(lane) : tl::unexpected{ok.error()};
        }
      });
    }
    for (auto& t : threads) t.join();
    for (const auto& lane : lanes) {
      for (const auto& w : lane) check_result(w.result, w.batch);
    }
  }
}

TEST_CASE("frames of a device are no use to the host, and are said to be") {
  rig r{11};
  r.model.half = false;
  r.config.device = kernels::make_host_device();
  r.config.session = std::make_shared<host_session>(r.model);
  r.config.head = r.model.head();
  const auto ring = r.make();
  under_way u{{r.make_sample(memory_kind::device)}};
  u.batch.front().error = errc::unsupported;
  REQUIRE(start(*ring, 0, u));
  check_result(ring->collect(0), u.batch);
}
