#include "kernels/cuda/device.hpp"

#include <algorithm>
#include <utility>

#include "kernels/annotate_checks.hpp"
#include "kernels/annotate_pixels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/jpeg_pixels.hpp"
#include "kernels/preprocess_params.hpp"

namespace penstock::kernels::gpu {

core::expected<void> checked(cudaError_t status, const std::string& device, const char* call) {
  if (status == cudaSuccess) return {};
  // an error that is not the device's state would be reported again by the next launch
  static_cast<void>(cudaGetLastError());
  return core::fail(core::errc::engine, device + ": " + call + ": " + cudaGetErrorString(status));
}

namespace {

core::expected<void> bad(const char* message) { return core::fail(core::errc::invalid_argument, message); }

class cuda_event final : public event {
 public:
  explicit cuda_event(cudaEvent_t handle) noexcept : handle_{handle} {}
  ~cuda_event() override { static_cast<void>(cudaEventDestroy(handle_)); }
  [[nodiscard]] cudaEvent_t handle() const noexcept { return handle_; }

 private:
  cudaEvent_t handle_;
};

class cuda_stream final : public stream {
 public:
  /// `fence` orders the stream after the default stream.
  cuda_stream(cudaStream_t handle, std::unique_ptr<cuda_event> fence) noexcept
      : handle_{handle}, fence_{std::move(fence)} {}
  ~cuda_stream() override { static_cast<void>(cudaStreamDestroy(handle_)); }
  [[nodiscard]] void* native() const noexcept override { return handle_; }
  [[nodiscard]] cudaStream_t handle() const noexcept { return handle_; }
  [[nodiscard]] cudaEvent_t fence() const noexcept { return fence_->handle(); }

 private:
  cudaStream_t handle_;
  std::unique_ptr<cuda_event> fence_;
};

cudaStream_t handle_of(const stream& s) noexcept { return static_cast<cudaStream_t>(s.native()); }
cudaEvent_t handle_of(const event& e) noexcept { return static_cast<const cuda_event&>(e).handle(); }

void CUDART_CB call_back(cudaStream_t, cudaError_t, void* data) {
  const std::unique_ptr<std::function<void()>> done{static_cast<std::function<void()>*>(data)};
  (*done)();
}

class cuda_device final : public device {
 public:
  cuda_device(int ordinal, device_info info) : ordinal_{ordinal}, info_{std::move(info)} {}

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }

  [[nodiscard]] core::expected<std::size_t> free_bytes() const override {
    std::size_t free = 0;
    std::size_t all = 0;
    if (auto ok = run("cudaMemGetInfo", [&] { return cudaMemGetInfo(&free, &all); }); !ok)
      return tl::unexpected{ok.error()};
    return free;
  }

  [[nodiscard]] core::expected<buffer> allocate(std::size_t bytes, core::memory_kind kind) override {
    const bool pinned = kind == core::memory_kind::host;
    void* memory = nullptr;
    auto status = cudaSetDevice(ordinal_);
    const auto wanted = std::max<std::size_t>(bytes, 1);
    if (status == cudaSuccess)
      status = pinned ? cudaHostAlloc(&memory, wanted, cudaHostAllocPortable) : cudaMalloc(&memory, wanted);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      return core::fail(core::errc::too_large, info_.name + ": there are no " + std::to_string(bytes) + " bytes of " +
                                                   (pinned ? "pinned" : "device") + " memory");
    }
    if (auto ok = checked(status, info_.name, pinned ? "cudaHostAlloc" : "cudaMalloc"); !ok)
      return tl::unexpected{ok.error()};
    const auto release = [pinned](void* p) { static_cast<void>(pinned ? cudaFreeHost(p) : cudaFree(p)); };
    return buffer{std::shared_ptr<void>{memory, release}, bytes, kind};
  }

  [[nodiscard]] core::expected<stream_ptr> make_stream() override {
    auto fence = make_cuda_event(cudaEventDisableTiming);
    if (!fence) return tl::unexpected{fence.error()};
    cudaStream_t handle = nullptr;
    if (auto ok = run("cudaStreamCreate", [&] { return cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking); });
        !ok)
      return tl::unexpected{ok.error()};
    return std::make_unique<cuda_stream>(handle, std::move(*fence));
  }

  [[nodiscard]] core::expected<event_ptr> make_event() override {
    auto made = make_cuda_event(cudaEventDefault);
    if (!made) return tl::unexpected{made.error()};
    return event_ptr{std::move(*made)};
  }

  [[nodiscard]] core::expected<void> record(event& point, stream& on) override {
    return run("cudaEventRecord", [&] { return cudaEventRecord(handle_of(point), handle_of(on)); });
  }

  [[nodiscard]] core::expected<void> wait(stream& later, const event& point) override {
    return run("cudaStreamWaitEvent", [&] { return cudaStreamWaitEvent(handle_of(later), handle_of(point), 0); });
  }

  [[nodiscard]] core::expected<void> wait_for_default_stream(stream& later) override {
    const auto fence = static_cast<cuda_stream&>(later).fence();
    if (auto ok = run("cudaEventRecord", [&] { return cudaEventRecord(fence, nullptr); }); !ok) return ok;
    return run("cudaStreamWaitEvent", [&] { return cudaStreamWaitEvent(handle_of(later), fence, 0); });
  }

  /// By cudaStreamAddCallback, since cudaLaunchHostFunc is not called once the device has failed.
  [[nodiscard]] core::expected<void> notify(stream& on, std::function<void()> done) override {
    auto data = std::make_unique<std::function<void()>>(std::move(done));
    auto ok =
        run("cudaStreamAddCallback", [&] { return cudaStreamAddCallback(handle_of(on), call_back, data.get(), 0); });
    if (ok) static_cast<void>(data.release());
    return ok;
  }

  [[nodiscard]] core::expected<void> synchronize(stream& on) override {
    return run("cudaStreamSynchronize", [&] { return cudaStreamSynchronize(handle_of(on)); });
  }

  [[nodiscard]] core::expected<std::chrono::nanoseconds> elapsed(const event& from, const event& to) const override {
    float milliseconds = 0;
    if (auto ok = run("cudaEventElapsedTime",
                      [&] { return cudaEventElapsedTime(&milliseconds, handle_of(from), handle_of(to)); });
        !ok)
      return tl::unexpected{ok.error()};
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double, std::milli>{milliseconds});
  }

  [[nodiscard]] core::expected<void> copy(stream& on, std::byte* to, const std::byte* from,
                                          std::size_t bytes) override {
    return run("cudaMemcpyAsync", [&] { return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, handle_of(on)); });
  }

  [[nodiscard]] core::expected<void> preprocess(stream& on, const preprocess_batch& job) override {
    if (auto ok = check(job); !ok) return ok;
    if (job.slots.memory != core::memory_kind::device) return bad("the slots are not in device memory");
    for (std::size_t begin = 0; begin < job.frames.size(); begin += max_frames) {
      auto params = make_preprocess_params(job, begin);
      auto left = ~std::uint64_t{0} >> (max_frames - static_cast<unsigned>(params.filled));
      while (left != 0) {
        take_launch(params, left);
        if (auto ok = run("preprocess", [&] { return launch_preprocess(params, handle_of(on)); }); !ok) return ok;
      }
    }
    return {};
  }

  [[nodiscard]] core::expected<void> decode(stream& on, const decode_batch& job) override {
    if (auto ok = check(job); !ok) return ok;
    for (const auto& output : job.outputs)
      if (output.memory != core::memory_kind::device) return bad("an output is not in device memory");
    return run("decode", [&] { return launch_decode(job, handle_of(on)); });
  }

  [[nodiscard]] core::expected<void> annotate(stream& on, const annotate_job& job) override {
    if (auto ok = check(job); !ok) return ok;
    for (std::size_t begin = 0; begin < job.objects.size(); begin += annotate_params::max_marks) {
      const auto params = make_annotate_params(job, begin);
      if (params.count == 0) continue;
      if (auto ok = run("annotate", [&] { return launch_annotate(params, handle_of(on)); }); !ok) return ok;
    }
    return {};
  }

  [[nodiscard]] core::expected<void> to_jpeg_planes(stream& on, const to_jpeg_planes_job& job) override {
    if (auto ok = check(job); !ok) return ok;
    if (job.source.memory != core::memory_kind::device) return bad("the picture is not in device memory");
    const auto params = make_jpeg_planes_params(job);
    return run("to_jpeg_planes", [&] { return launch_jpeg_planes(params, handle_of(on)); });
  }

 private:
  template <class F>
  core::expected<void> run(const char* call, F&& function) const {
    if (const auto status = cudaSetDevice(ordinal_); status != cudaSuccess)
      return checked(status, info_.name, "cudaSetDevice");
    return checked(function(), info_.name, call);
  }

  core::expected<std::unique_ptr<cuda_event>> make_cuda_event(unsigned flags) {
    cudaEvent_t handle = nullptr;
    if (auto ok = run("cudaEventCreate", [&] { return cudaEventCreateWithFlags(&handle, flags); }); !ok)
      return tl::unexpected{ok.error()};
    return std::make_unique<cuda_event>(handle);
  }

  int ordinal_;
  device_info info_;
};

} // namespace

core::expected<device_ptr> make_device(int ordinal, device_info info) {
  auto status = cudaSetDevice(ordinal);
  if (status == cudaSuccess) status = probe();
  if (status == cudaErrorNoKernelImageForDevice) {
    static_cast<void>(cudaGetLastError());
    return core::fail(core::errc::unsupported, info.name + ": this build has no kernels for " + info.capability +
                                                   " (see CMAKE_CUDA_ARCHITECTURES)");
  }
  if (auto ok = checked(status, info.name, "opening it"); !ok) return tl::unexpected{ok.error()};
  return std::make_shared<cuda_device>(ordinal, std::move(info));
}

} // namespace penstock::kernels::gpu
