#include <torch/version.h>

#include "inference/engines/module.hpp"
#include "inference/engines/torch/gpu.hpp"

namespace penstock::engine_module::torchscript {

const std::string& gpu_absent() {
  static const std::string reason = "this libtorch (" TORCH_VERSION ") was built without CUDA; build the engine with "
                                    "-DTORCH_ROOT= pointing to a libtorch for CUDA";
  return reason;
}

std::unique_ptr<gpu> make_gpu(int /*index*/) { fail(PENSTOCK_UNSUPPORTED, gpu_absent()); }

} // namespace penstock::engine_module::torchscript
