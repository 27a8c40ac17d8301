#include <thread>

#include "tests/unit/kernels/device_suite.hpp"

using namespace penstock;

// 1.7 levels: the rounding of the plans' 8-bit weights, as for plans

TEST_CASE("the host device preprocesses as the reference does") {
  device_suite::preprocess_agrees_with_reference(*kernels::make_host_device(), 1.7);
}

TEST_CASE("the host device takes frames of several sizes and formats in one batch") {
  device_suite::preprocess_takes_mixed_batches(*kernels::make_host_device());
}

TEST_CASE("the host device refuses batches that do not fit and writes nothing then") {
  device_suite::preprocess_refuses_what_does_not_fit(*kernels::make_host_device());
}

TEST_CASE("the host device refuses to decode outputs that the CPU cannot reach") {
  device_suite::decode_refuses_outputs_elsewhere(*kernels::make_host_device());
}

TEST_CASE("the host device keeps the order of work and calls back from a thread of its own") {
  device_suite::keeps_order(*kernels::make_host_device());
}

TEST_CASE("the host device annotates and makes JPEG planes as the twins do") {
  const auto device = kernels::make_host_device();
  device_suite::annotates_as_cpu(*device);
  device_suite::makes_jpeg_planes_as_cpu(*device);
}

TEST_CASE("the host device has no more memory than there is") {
  device_suite::refuses_more_memory_than_there_is(*kernels::make_host_device());
}

TEST_CASE("a host device may end in a callback, after which the others are still made") {
  std::promise<void> ended;
  std::promise<void> last;
  auto gate = std::make_shared<std::promise<void>>();
  auto device = kernels::make_host_device();
  const auto stream = device->make_stream().value();
  auto* raw = device.get();
  REQUIRE(raw->notify(*stream, [gate] { gate->get_future().wait(); }));
  REQUIRE(raw->notify(*stream, [device = std::move(device), &ended]() mutable {
    device.reset();
    ended.set_value();
  }));
  REQUIRE(raw->notify(*stream, [&] { last.set_value(); }));
  gate->set_value();
  ended.get_future().wait();
  last.get_future().wait();
}

TEST_CASE("an event that was never recorded has no time") {
  const auto device = kernels::make_host_device();
  const auto event = device->make_event().value();
  CHECK(!device->elapsed(*event, *event));
}

TEST_CASE("many threads share the plans of batches") {
  const auto picture = make_noise(64, 48, core::pixel_format::nv12, 0, 1);
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int size = 1; size < 50; ++size) {
        kernels::preprocess_spec spec;
        spec.width_px = size;
        spec.height_px = size;
        preprocess_table::slot s{spec};
        const std::vector frames{picture.view};
        if (!kernels::cpu::preprocess({spec, frames, s.view()})) ++failed;
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(failed == 0);
}

TEST_CASE("without a CUDA device there is a reason") {
  const auto& status = kernels::cuda();
  CHECK(status.absent.empty() == !status.devices.empty());
  const auto none = kernels::open_cuda_device(status.devices.empty() ? 0 : status.devices.back().index + 1);
  REQUIRE(!none);
  CHECK(none.error().code == core::errc::unsupported);
  CHECK(!none.error().message.empty());
}
