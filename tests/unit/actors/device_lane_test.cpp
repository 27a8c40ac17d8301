#include "actors/device_lane.hpp"

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <condition_variable>
#include <map>
#include <mutex>

#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::actors;
using namespace std::chrono_literals;

namespace {

/// One object for each picture, whose score is its mean; fails on batches with a white one, as long as `broken` not on
/// all.
class mean_session final : public inference::session {
 public:
  mean_session() {
    info_.name = "mean";
    info_.inputs = {{"images", core::element_type::f32, {-1, 3, 4, 4}}};
    info_.outputs = {{"means", core::element_type::f32, {-1, 1}}};
    info_.max_batch = inference::any_batch;
  }

  [[nodiscard]] const inference::model_info& info() const noexcept override { return info_; }

  [[nodiscard]] core::expected<inference::outputs> run(core::const_tensor_view images, void*) const override {
    struct memory {
      std::vector<float> means;
      std::vector<std::int64_t> shape;
    };
    auto kept = std::make_shared<memory>();
    const auto n = static_cast<std::size_t>(images.shape[0]);
    const auto pixels = images.elements() / n;
    const auto* values = static_cast<const float*>(images.data);
    for (std::size_t i = 0; i < n; ++i) {
      float sum = 0;
      for (std::size_t p = 0; p < pixels; ++p) sum += values[i * pixels + p];
      kept->means.push_back(sum / static_cast<float>(pixels));
      if (broken || kept->means.back() > 0.9F) return core::fail(core::errc::engine, "a white picture");
    }
    kept->shape = {images.shape[0], 1};
    inference::outputs out;
    out.tensors = {{kept->means.data(), core::element_type::f32, kept->shape}};
    out.owner = kept;
    return out;
  }

  std::atomic<bool> broken{false};

 private:
  inference::model_info info_;
};

class mean_head final : public inference::decoder_head {
 public:
  [[nodiscard]] std::size_t classes() const noexcept override { return 1; }
  [[nodiscard]] core::expected<void> decode(const inference::outputs& batch, std::size_t item,
                                            const kernels::geometry& geometry,
                                            std::vector<core::detection>& objects) const override {
    const auto w = static_cast<float>(geometry.source_width_px);
    objects = {{0, static_cast<const float*>(batch.tensors.at(0).data)[item], {0, 0, w, 1}}};
    return {};
  }
};

core::frame_ptr grey(std::uint8_t value, int width_px = 8) {
  const auto pixels = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(width_px) * 8, value);
  auto frame = std::make_shared<core::frame>();
  frame->owner = pixels;
  frame->view.width_px = width_px;
  frame->view.height_px = 8;
  frame->view.format = core::pixel_format::gray8;
  frame->view.range = core::color_range::full;
  frame->view.planes[0] = pixels->data();
  frame->view.strides_bytes[0] = width_px;
  return frame;
}

/// Outcomes by ordinal.
struct inbox_state {
  std::mutex mutex;
  std::condition_variable arrived;
  std::map<std::uint32_t, core::frame_outcome> outcomes;

  std::map<std::uint32_t, core::frame_outcome> wait(std::size_t n) {
    std::unique_lock lock{mutex};
    const bool all = arrived.wait_for(lock, 60s, [&] { return outcomes.size() >= n; });
    REQUIRE(all);
    return outcomes;
  }
};

worker_inbox::behavior_type inbox(worker_inbox::pointer, std::shared_ptr<inbox_state> to) {
  return {
      [to](const frame_outcomes& message) {
        const std::lock_guard lock{to->mutex};
        for (const auto& outcome : message.outcomes) to->outcomes[outcome.id.ordinal] = outcome;
        to->arrived.notify_all();
      },
      [](const decode_finished&) {},
      [](const decode_failed&) {},
  };
}

struct world {
  std::shared_ptr<mean_session> session = std::make_shared<mean_session>();
  std::shared_ptr<inbox_state> heard = std::make_shared<inbox_state>();
  std::shared_ptr<credit_pool> credits = std::make_shared<credit_pool>(64, metrics::gauge{});
  metrics::registry metrics;
  caf::actor_system_config config;
  caf::actor_system system{config};
  worker_inbox worker;
  device_batcher_actor batches;

  world(std::size_t batch, std::size_t lanes) {
    inference::batch_ring_config with;
    with.device = kernels::make_host_device();
    with.session = session;
    with.head = std::make_shared<mean_head>();
    with.input = {0, core::tensor_layout::nchw, core::element_type::f32, 3, 4, 4};
    with.spec.width_px = with.spec.height_px = 4;
    with.spec.fit = kernels::fit::stretch;
    with.spec.scale = {1.0F / 255, 1.0F / 255, 1.0F / 255};
    with.lanes = lanes;
    with.batch = batch;
    auto made = inference::batch_ring::make(with);
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    using metrics::stage;
    const device_lane_config lane_with{std::move(*made), metrics.stage_of(stage::preprocess),
                                       metrics.stage_of(stage::inference), metrics.stage_of(stage::postprocess),
                                       metrics.inference()};
    worker = system.spawn(inbox, heard);
    const lane_factory make_lane = [this, lane_with](const device_batcher_actor& to, std::uint32_t i) {
      return system.spawn<caf::detached>(device_lane, lane_with, i, to, worker);
    };
    batches = system.spawn(
        device_batcher, device_batcher_config{batch, 1ms, lane_with.preprocess, lane_with.inference, lane_with.batches},
        lanes, make_lane);
  }
  ~world() {
    caf::anon_send_exit(batches, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
    batches = nullptr;
    worker = nullptr;
  }

  void send(std::uint32_t ordinal, core::frame_ptr frame) {
    frame_task task;
    task.id.ordinal = ordinal;
    task.frame = std::move(frame);
    task.times.decode = 7us;
    task.credit = credits->take({}, [](const credit&) {});
    caf::anon_send(batches, std::move(task));
  }

  bool says(const std::string& line) const { return metrics.expose().find(line) != std::string::npos; }
};

} // namespace

TEST_CASE("frames of any size come back from a device as objects in their own pixels", "[actors][scheduler]") {
  world w{4, 3};
  for (std::uint32_t i = 0; i < 40; ++i) w.send(i, grey(static_cast<std::uint8_t>(5 * i), 8 + static_cast<int>(i)));
  const auto outcomes = w.heard->wait(40);
  for (const auto& [ordinal, outcome] : outcomes) {
    CAPTURE(ordinal);
    REQUIRE_FALSE(outcome.dropped);
    REQUIRE(outcome.objects.size() == 1);
    CHECK(outcome.objects[0].score == Approx(5 * ordinal / 255.0).margin(1e-3));
    CHECK(outcome.objects[0].box.w == static_cast<float>(8 + ordinal));
    CHECK(outcome.width_px == static_cast<int>(8 + ordinal));
    CHECK(outcome.height_px == 8);
    CHECK(outcome.times.decode == 7us);
  }
  for (const auto* stage : {"preprocess", "inference", "postprocess"})
    CHECK(w.says("penstock_stage_items_total{stage=\"" + std::string{stage} + "\"} 40"));
  CHECK(w.says("penstock_stage_queue_items{stage=\"inference\"} 0"));
}

TEST_CASE("of a batch that fails only the frame at fault is lost", "[actors][scheduler]") {
  world w{4, 2};
  for (std::uint32_t i = 0; i < 24; ++i) w.send(i, grey(i == 6 || i == 13 ? 255 : 100));
  const auto outcomes = w.heard->wait(24);
  for (const auto& [ordinal, outcome] : outcomes) {
    CAPTURE(ordinal);
    const bool white = ordinal == 6 || ordinal == 13;
    CHECK(outcome.dropped == (white ? std::optional{core::drop_reason::engine_error} : std::nullopt));
    CHECK(outcome.objects.size() == (white ? 0 : 1));
  }
  CHECK(w.says("penstock_stage_items_total{stage=\"inference\"} 24"));
}

TEST_CASE("every frame of an engine that always fails is answered, and the lanes go on once it works",
          "[actors][scheduler]") {
  world w{4, 3};
  w.session->broken = true;
  for (std::uint32_t i = 0; i < 20; ++i) w.send(i, grey(50));
  for (const auto& [ordinal, outcome] : w.heard->wait(20)) CHECK(outcome.dropped == core::drop_reason::engine_error);
  w.session->broken = false;
  for (std::uint32_t i = 20; i < 40; ++i) w.send(i, grey(50));
  std::size_t answered = 0;
  for (const auto& [ordinal, outcome] : w.heard->wait(40)) answered += outcome.dropped ? 0 : 1;
  CHECK(answered == 20);
}

TEST_CASE("a frame that no kernel takes is unsupported, and its neighbours are not", "[actors][scheduler]") {
  world w{3, 1};
  auto odd = std::make_shared<core::frame>(*grey(100));
  odd->view.planes[0] = nullptr;
  w.send(0, grey(100));
  w.send(1, odd);
  w.send(2, grey(100));
  const auto outcomes = w.heard->wait(3);
  CHECK_FALSE(outcomes.at(0).dropped);
  CHECK(outcomes.at(1).dropped == core::drop_reason::unsupported);
  CHECK_FALSE(outcomes.at(2).dropped);
}

TEST_CASE("a frame holds its credit until its outcome is there, and no longer", "[actors][scheduler]") {
  auto credits = std::make_shared<credit_pool>(8, metrics::gauge{});
  {
    world w{4, 2};
    w.credits = credits;
    for (std::uint32_t i = 0; i < 8; ++i) w.send(i, grey(i % 3 == 0 ? 255 : 100));
    (void)w.heard->wait(8);
  } // with the actors goes whatever they still held
  CHECK(credits->available() == 8);
}
