#pragma once

#include "kernels/device.hpp"
#include "tests/catch.hpp"

/// The first GPU; null, with a line that ctest takes for a skipped test, where there is none.
inline penstock::kernels::device_ptr first_gpu() {
  const auto& status = penstock::kernels::cuda();
  if (status.devices.empty()) {
    WARN("skipped: " << status.absent);
    return nullptr;
  }
  auto opened = penstock::kernels::open_cuda_device(status.devices.front().index);
  if (!opened) FAIL(opened.error().message);
  return *opened;
}
