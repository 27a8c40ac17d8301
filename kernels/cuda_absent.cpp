#include "kernels/device.hpp"

namespace penstock::kernels {

const cuda_status& cuda() {
  static const cuda_status status{
      false, "this build has no CUDA kernels; install CUDA 12.1 or newer and configure with -DPENSTOCK_CUDA=ON", {}};
  return status;
}

core::expected<device_ptr> open_cuda_device(std::size_t) { return core::fail(core::errc::unsupported, cuda().absent); }

} // namespace penstock::kernels
