#include <string>

#include "tests/gpu/gpu.hpp"
#include "tests/unit/kernels/device_suite.hpp"

TEST_CASE("a GPU preprocesses as the reference does") {
  if (const auto gpu = first_gpu()) device_suite::preprocess_agrees_with_reference(*gpu, 1e-3);
}

TEST_CASE("a GPU takes frames of several sizes and formats in one batch") {
  if (const auto gpu = first_gpu()) device_suite::preprocess_takes_mixed_batches(*gpu);
}

TEST_CASE("a GPU refuses batches that do not fit and writes nothing then") {
  if (const auto gpu = first_gpu()) device_suite::preprocess_refuses_what_does_not_fit(*gpu);
}

TEST_CASE("a GPU refuses to decode outputs in host memory") {
  if (const auto gpu = first_gpu()) device_suite::decode_refuses_outputs_elsewhere(*gpu);
}

TEST_CASE("a GPU is opened by the number in its name, which is CUDA's") {
  if (!first_gpu()) return;
  for (const auto& info : penstock::kernels::cuda().devices) {
    CHECK(info.name == "cuda:" + std::to_string(info.index));
    const auto opened = penstock::kernels::open_cuda_device(info.index);
    REQUIRE(opened);
    CHECK((*opened)->info().name == info.name);
  }
}

TEST_CASE("a GPU keeps the order of work and calls back from a thread of its own") {
  if (const auto gpu = first_gpu()) device_suite::keeps_order(*gpu);
}

TEST_CASE("a GPU draws what the CPU draws") {
  if (const auto gpu = first_gpu()) device_suite::annotates_as_cpu(*gpu);
}

TEST_CASE("a GPU makes the JPEG planes that the CPU makes") {
  if (const auto gpu = first_gpu()) device_suite::makes_jpeg_planes_as_cpu(*gpu);
}

TEST_CASE("a GPU has no more memory than there is") {
  if (const auto gpu = first_gpu()) device_suite::refuses_more_memory_than_there_is(*gpu);
}
