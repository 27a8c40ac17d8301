#include <cuda_runtime_api.h>

#include <algorithm>
#include <string>

#include "kernels/cuda/device.hpp"
#include "kernels/device.hpp"

namespace penstock::kernels {

namespace {

/// What this machine has.
struct found_devices {
  cuda_status status;
  std::vector<std::string> unusable; ///< why a GPU cannot be used, by CUDA's number; empty for those that can
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
  for (int i = 0; i < count; ++i) {
    const auto name = "cuda:" + std::to_string(i);
    auto& unusable = found.unusable.emplace_back();
    cudaDeviceProp properties;
    if (const auto result = cudaGetDeviceProperties(&properties, i); result != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      unusable = name + ": " + cudaGetErrorString(result);
      continue;
    }
    const auto capability = "sm_" + std::to_string(properties.major) + std::to_string(properties.minor);
    if (properties.major * 10 + properties.minor < 75) {
      unusable = name + ", " + properties.name + " (" + capability + "), is older than this build's kernels (sm_75)";
      continue;
    }
    status.devices.push_back({name, properties.name, core::memory_kind::device, properties.totalGlobalMem, capability,
                              "CUDA " + version_text(driver), static_cast<std::size_t>(i)});
  }
  if (!status.devices.empty()) return found;
  for (const auto& reason : found.unusable) status.absent += (status.absent.empty() ? "GPUs here: " : "; ") + reason;
  if (status.absent.empty()) status.absent = "there is no NVIDIA GPU";
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
  if (index >= all.unusable.size())
    return core::fail(core::errc::unsupported, "there is no cuda:" + std::to_string(index) + " among the " +
                                                   std::to_string(all.unusable.size()) + " GPUs here");
  if (!all.unusable[index].empty()) return core::fail(core::errc::unsupported, all.unusable[index]);
  const auto& devices = all.status.devices;
  const auto device = std::find_if(devices.begin(), devices.end(), [&](const auto& d) { return d.index == index; });
  return gpu::make_device(static_cast<int>(index), *device);
}

} // namespace penstock::kernels
