#include "inference/engines/onnxruntime/cuda_driver.hpp"

#include <array>
#include <dlfcn.h>

#include "inference/engines/module.hpp"

namespace penstock::engine_module {
namespace {

// As cuda.h declares them; the suffixes are those that its macros add.
using context = void*;
using stream = void*;
using event = void*;

struct driver {
  int (*cuInit)(unsigned);
  int (*cuDeviceGet)(int*, int);
  int (*cuDeviceGetName)(char*, int, int);
  int (*cuDevicePrimaryCtxRetain)(context*, int);
  int (*cuDevicePrimaryCtxRelease)(int);
  int (*cuCtxPushCurrent)(context);
  int (*cuCtxPopCurrent)(context*);
  int (*cuStreamCreate)(stream*, unsigned);
  int (*cuStreamDestroy)(stream);
  int (*cuStreamSynchronize)(stream);
  int (*cuStreamWaitEvent)(stream, event, unsigned);
  int (*cuEventCreate)(event*, unsigned);
  int (*cuEventDestroy)(event);
  int (*cuEventRecord)(event, stream);
};

constexpr unsigned stream_non_blocking = 1;
constexpr unsigned event_disable_timing = 2;

driver open() {
  auto* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); // stays: ONNX Runtime uses it too
  if (library == nullptr) fail(PENSTOCK_UNSUPPORTED, "no NVIDIA driver here (libcuda.so.1 is not found)");
  const auto find = [library]<class Function>(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) fail(PENSTOCK_UNSUPPORTED, std::string{"the NVIDIA driver here has no "} + name);
  };
  driver d{};
  find(d.cuInit, "cuInit");
  find(d.cuDeviceGet, "cuDeviceGet");
  find(d.cuDeviceGetName, "cuDeviceGetName");
  find(d.cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  find(d.cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2");
  find(d.cuCtxPushCurrent, "cuCtxPushCurrent_v2");
  find(d.cuCtxPopCurrent, "cuCtxPopCurrent_v2");
  find(d.cuStreamCreate, "cuStreamCreate");
  find(d.cuStreamDestroy, "cuStreamDestroy_v2");
  find(d.cuStreamSynchronize, "cuStreamSynchronize");
  find(d.cuStreamWaitEvent, "cuStreamWaitEvent");
  find(d.cuEventCreate, "cuEventCreate");
  find(d.cuEventDestroy, "cuEventDestroy_v2");
  find(d.cuEventRecord, "cuEventRecord");
  return d;
}

const driver& the_driver() {
  static const auto found = open(); // tried again by the next call where it throws
  return found;
}

void check(int code, const char* what) {
  if (code != 0) fail(PENSTOCK_FAILED, std::string{"CUDA: "} + what + " failed with error " + std::to_string(code));
}

/// The device's primary context, the one of the CUDA runtime, current in this thread.
class current {
 public:
  current(const driver& d, context c) : driver_{d} { check(d.cuCtxPushCurrent(c), "cuCtxPushCurrent"); }
  current(const current&) = delete;
  current& operator=(const current&) = delete;
  ~current() {
    context popped = nullptr;
    driver_.cuCtxPopCurrent(&popped);
  }

 private:
  const driver& driver_;
};

} // namespace

struct cuda_stream::impl {
  const driver& api;
  int device = 0;
  bool retained = false;
  context primary = nullptr;
  stream own = nullptr;
  event before = nullptr;
  event after = nullptr;
  std::string name;

  explicit impl(const driver& d) : api{d} {}
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  ~impl() {
    if (!retained) return;
    if (api.cuCtxPushCurrent(primary) == 0) {
      if (after != nullptr) api.cuEventDestroy(after);
      if (before != nullptr) api.cuEventDestroy(before);
      if (own != nullptr) api.cuStreamDestroy(own);
      context popped = nullptr;
      api.cuCtxPopCurrent(&popped);
    }
    api.cuDevicePrimaryCtxRelease(device);
  }

  /// `later` waits for what is on `earlier` now.
  void order(stream earlier, event point, stream later) const {
    const current scope{api, primary};
    check(api.cuEventRecord(point, earlier), "cuEventRecord");
    check(api.cuStreamWaitEvent(later, point, 0), "cuStreamWaitEvent");
  }
};

cuda_stream::cuda_stream(std::int32_t device_index) : impl_{std::make_unique<impl>(the_driver())} {
  auto& s = *impl_;
  check(s.api.cuInit(0), "cuInit");
  check(s.api.cuDeviceGet(&s.device, device_index), "cuDeviceGet");
  std::array<char, 256> name{};
  check(s.api.cuDeviceGetName(name.data(), static_cast<int>(name.size()), s.device), "cuDeviceGetName");
  s.name = name.data();
  check(s.api.cuDevicePrimaryCtxRetain(&s.primary, s.device), "cuDevicePrimaryCtxRetain");
  s.retained = true;
  const current scope{s.api, s.primary};
  check(s.api.cuStreamCreate(&s.own, stream_non_blocking), "cuStreamCreate");
  check(s.api.cuEventCreate(&s.before, event_disable_timing), "cuEventCreate");
  check(s.api.cuEventCreate(&s.after, event_disable_timing), "cuEventCreate");
}

cuda_stream::~cuda_stream() = default;

void* cuda_stream::native() const noexcept { return impl_->own; }

const std::string& cuda_stream::device_name() const noexcept { return impl_->name; }

void cuda_stream::begin_after(void* other) { impl_->order(other, impl_->before, impl_->own); }

void cuda_stream::end_before(void* other) { impl_->order(impl_->own, impl_->after, other); }

void cuda_stream::synchronize() {
  const current scope{impl_->api, impl_->primary};
  check(impl_->api.cuStreamSynchronize(impl_->own), "cuStreamSynchronize");
}

} // namespace penstock::engine_module
