#include <array>
#include <functional>
#include <latch>
#include <semaphore>
#include <thread>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/random_data.hpp"
#include "inference/batch_ring.hpp"
#include "inference/head.hpp"
#include "inference/image_input.hpp"

namespace penstock::bench {

namespace {

constexpr int width_px = 1920;
constexpr int height_px = 1080;

/// Everything that the three ways share.
struct detector {
  inference::session_ptr session;
  inference::image_input input;
  inference::model_info model; ///< with every shape known
  inference::head_ptr head;
  kernels::preprocess_spec spec;
};

detector load(const bench_device& on, const pipeline_options& options) {
  inference::load_options how;
  how.device = on.real ? "cuda" : "cpu";
  how.width_px = how.height_px = options.side_px;
  how.max_batch = static_cast<int>(options.batch);
  how.precision = options.precision == "f16"   ? inference::precision::f16
                  : options.precision == "f32" ? inference::precision::f32
                                               : inference::precision::model;
  how.progress = [](std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  };
  detector d;
  d.session = must(inference::load_model(options.engine, options.model, how), "model");
  const auto wanted = on.real ? core::memory_kind::device : core::memory_kind::host;
  if (d.session->info().memory != wanted) throw std::runtime_error{"the model was not loaded on the device"};
  d.input = must(inference::resolve_image_input(d.session->info(), options.side_px, options.side_px), "model");
  d.model = must(inference::probe(*d.session, d.input), "model");
  d.head = must(inference::make_head("yolov8", d.model, {}), "head");
  d.spec.width_px = d.input.width_px;
  d.spec.height_px = d.input.height_px;
  d.spec.layout = d.input.layout;
  d.spec.type = d.input.type;
  return d;
}

/// Images per second of `batches` on as many lanes at once, a thread each. `run(lane)` takes one batch through; it
/// throws what went wrong.
double images_per_s(const pipeline_options& options, std::size_t batches, const std::function<void(std::size_t)>& run) {
  std::vector<std::exception_ptr> failures(options.lanes);
  std::latch ready{static_cast<std::ptrdiff_t>(options.lanes) + 1};
  std::vector<std::thread> threads;
  const auto each = std::max<std::size_t>(batches / options.lanes, 1);
  for (std::size_t lane = 0; lane < options.lanes; ++lane) {
    threads.emplace_back([&, lane] {
      ready.arrive_and_wait();
      try {
        for (std::size_t i = 0; i < each; ++i) run(lane);
      } catch (...) {
        failures[lane] = std::current_exception();
      }
    });
  }
  ready.arrive_and_wait();
  const auto start = std::chrono::steady_clock::now();
  for (auto& thread : threads) thread.join();
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return static_cast<double>(each * options.lanes * options.batch) / seconds;
}

/// The engine alone: each lane runs the session on tensors that are there, one after the other on a stream of its own.
class raw_engine {
 public:
  raw_engine(const bench_device& on, const detector& d, const pipeline_options& options) : on_{on}, d_{d} {
    const auto shape = d.input.shape(static_cast<std::int64_t>(options.batch));
    shape_.assign(shape.begin(), shape.end());
    std::mt19937_64 random{5};
    for (std::size_t lane = 0; lane < options.lanes; ++lane) {
      streams_.push_back(must(on.device->make_stream(), "stream"));
      for (auto* set : {&even_, &odd_}) set->push_back(pictures(options.batch, random));
    }
    turn_.resize(options.lanes);
  }

  void run(std::size_t lane) {
    const auto& images = (turn_[lane]++ % 2 == 0 ? even_ : odd_)[lane];
    auto& stream = *streams_[lane];
    const core::const_tensor_view view{images.data(), d_.spec.type, shape_, on_.device->info().memory};
    const auto outputs = must(d_.session->run(view, stream.native()), "engine");
    must(on_.device->synchronize(stream), "engine");
  }

 private:
  /// What preprocessing random frames gives.
  kernels::buffer pictures(std::size_t batch, std::mt19937_64& random) const {
    const auto memory = on_.device->info().memory;
    auto tensor = on_.memory(core::tensor_view{nullptr, d_.spec.type, shape_, memory}.size_bytes());
    const auto frame = random_buffer(on_, nv12_bytes(width_px, height_px), core::memory_kind::device, random);
    const std::vector views(batch, nv12_view(frame.data(), width_px, height_px, memory));
    must(on_.device->preprocess(*on_.stream, {d_.spec, views, {tensor.data(), d_.spec.type, shape_, memory}, 0}),
         "preprocess");
    must(on_.device->synchronize(*on_.stream), "preprocess");
    return tensor;
  }

  const bench_device& on_;
  const detector& d_;
  std::vector<std::int64_t> shape_;
  std::vector<kernels::stream_ptr> streams_;
  std::vector<kernels::buffer> even_;
  std::vector<kernels::buffer> odd_;
  std::vector<std::size_t> turn_;
};

/// The pipeline's batches, from frames that lie in memory of that kind to objects.
class ring_pipeline {
 public:
  /// Staging memory grows to what it needs at the first batch, which is not counted.
  ring_pipeline(const bench_device& on, const detector& d, const pipeline_options& options, core::memory_kind kind)
      : options_{options}, turn_(options.lanes), objects_(options.lanes) {
    inference::batch_ring_config config;
    config.device = on.device;
    config.session = d.session;
    config.input = d.input;
    config.head = d.head;
    config.spec = d.spec;
    config.lanes = options.lanes;
    config.batch = options.batch;
    ring_ = must(inference::batch_ring::make(config), "batch ring");
    std::mt19937_64 random{6};
    const auto memory = kind == core::memory_kind::host ? kind : on.device->info().memory;
    for (std::size_t i = 0; i < 2 * options.lanes * options.batch; ++i) {
      const auto pixels = random_buffer(on, nv12_bytes(width_px, height_px), kind, random);
      auto frame = std::make_shared<core::frame>();
      frame->owner = std::make_shared<kernels::buffer>(pixels);
      frame->view = nv12_view(pixels.data(), width_px, height_px, memory);
      frames_.push_back(std::move(frame));
    }
  }

  void run(std::size_t lane) {
    const auto set = 2 * lane + turn_[lane]++ % 2;
    const auto first = frames_.begin() + static_cast<std::ptrdiff_t>(set * options_.batch);
    std::binary_semaphore done{0};
    must(ring_->start(lane, {first, first + static_cast<std::ptrdiff_t>(options_.batch)}, [&] { done.release(); }),
         "start");
    done.acquire();
    for (auto& item : must(ring_->collect(lane), "collect").items)
      objects_[lane] += must(std::move(item.objects), "item").size();
  }

  /// Per image, so far.
  [[nodiscard]] double objects_per_image() const {
    std::size_t objects = 0;
    std::size_t batches = 0;
    for (const auto n : objects_) objects += n;
    for (const auto n : turn_) batches += n;
    return static_cast<double>(objects) / static_cast<double>(std::max<std::size_t>(batches * options_.batch, 1));
  }
  [[nodiscard]] const inference::batch_ring& ring() const { return *ring_; }

 private:
  const pipeline_options& options_;
  std::vector<core::frame_ptr> frames_; // outlive the ring
  std::unique_ptr<inference::batch_ring> ring_;
  std::vector<std::size_t> turn_;
  std::vector<std::size_t> objects_;
};

} // namespace

nlohmann::json pipeline_figures(const bench_device& on, const pipeline_options& options) {
  const auto d = load(on, options);
  raw_engine raw{on, d, options};
  ring_pipeline device{on, d, options, core::memory_kind::device};
  ring_pipeline host{on, d, options, core::memory_kind::host};
  std::vector<double> raw_rates;
  std::vector<double> device_rates;
  std::vector<double> host_rates;
  std::vector<double> device_shares;
  std::vector<double> host_shares;
  const auto repeats = std::min<std::size_t>(on.repeats, 9);
  for (std::size_t i = 0; i <= repeats; ++i) { // they take turns; the first turn warms up
    const auto batches = i == 0 ? 4 * options.lanes : options.batches;
    const auto r = images_per_s(options, batches, [&](std::size_t lane) { raw.run(lane); });
    const auto a = images_per_s(options, batches, [&](std::size_t lane) { device.run(lane); });
    const auto b = images_per_s(options, batches, [&](std::size_t lane) { host.run(lane); });
    if (i == 0) continue;
    raw_rates.push_back(r);
    device_rates.push_back(a);
    host_rates.push_back(b);
    device_shares.push_back(a / r);
    host_shares.push_back(b / r);
  }
  return {{"model", d.model.name},
          {"engine", d.model.engine},
          {"runs_on", d.model.device},
          {"detail", d.model.detail},
          {"input", core::to_string(d.spec.type)},
          {"batch", options.batch},
          {"lanes", options.lanes},
          {"batches_per_repeat", options.batches},
          {"objects_per_image", device.objects_per_image()},
          {"ring_device_bytes", device.ring().device_bytes()},
          {"ring_pinned_bytes", host.ring().pinned_bytes()},
          {"raw_images_per_s", to_json(spread_of(raw_rates))},
          {"device_images_per_s", to_json(spread_of(device_rates))},
          {"host_images_per_s", to_json(spread_of(host_rates))},
          {"device_share", to_json(spread_of(device_shares))},
          {"host_share", to_json(spread_of(host_shares))}};
}

} // namespace penstock::bench
