#include <cuda_runtime_api.h>

#include <string>

#include "kernels/cuda/device.hpp"
#include "kernels/device.hpp"

namespace penstock::kernels {

namespace {

/// What this machine has; `ordinals[i]` is CUDA's number of `status.devices[i]`.
struct found_devices {
  cuda_status status;
  std::vector<int> ordinals;
};

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

found_devices look() {
  found_devices found;
  auto& status = found.status;
  status.built = true;
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    static_cast<void>(cudaGetLastError());
    status.absent = "this machine has no NVIDIA driver; install one, and where this is a container, hand the GPU to it";
    return found;
  }
  int count = 0;
  if (const auto result = cudaGetDeviceCount(&count); result != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    int runtime = 0;
    static_cast<void>(cudaRuntimeGetVersion(&runtime));
    status.absent = std::string{"CUDA: "} + cudaGetErrorString(result) + " (driver for CUDA " + version_text(driver) +
                    ", this build is for " + version_text(runtime) + ")";
    return found;
  }
  std::string old;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      continue;
    }
    const auto capability = std::to_string(properties.major) + std::to_string(properties.minor);
    if (properties.major * 10 + properties.minor < 75) {
      old += std::string{old.empty() ? "" : ", "} + properties.name + " (sm_" + capability + ")";
      continue;
    }
    status.devices.push_back({"cuda:" + std::to_string(i), properties.name, core::memory_kind::device,
                              properties.totalGlobalMem, "sm_" + capability, "CUDA " + version_text(driver)});
    found.ordinals.push_back(i);
  }
  if (status.devices.empty())
    status.absent =
        old.empty() ? "there is no NVIDIA GPU" : "GPUs here are older than this build's kernels (sm_75): " + old;
  return found;
}

const found_devices& found() {
  static const auto devices = look();
  return devices;
}

} // namespace

const cuda_status& cuda() { return found().status; }

core::expected<device_ptr> open_cuda_device(std::size_t index) {
  const auto& all = found();
  if (!all.status.absent.empty()) return core::fail(core::errc::unsupported, all.status.absent);
  if (index >= all.ordinals.size())
    return core::fail(core::errc::unsupported, "there is no CUDA device " + std::to_string(index) + ", only " +
                                                   std::to_string(all.ordinals.size()));
  return gpu::make_device(all.ordinals[index], all.status.devices[index]);
}

} // namespace penstock::kernels
