#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/cuda/CUDAGraph.h>
#include <algorithm>
#include <atomic>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <map>
#include <mutex>

#include "inference/engines/module.hpp"
#include "inference/engines/torch/gpu.hpp"
#include "inference/engines/torch/messages.hpp"

namespace penstock::engine_module::torchscript {
namespace {

constexpr int warm_runs = 3; ///< of a shape before it is captured: libtorch compiles and tunes in the first ones
constexpr std::size_t most_lanes = 8;  ///< streams with graphs of their own
constexpr std::size_t most_shapes = 8; ///< graphs of one stream
std::mutex capturing;                  ///< one capture at a time in the process

/// A shape of images, captured. Replays on one stream only.
struct captured_run {
  at::Tensor images;
  std::vector<at::Tensor> outputs;
  std::unique_ptr<at::cuda::CUDAGraph> graph = std::make_unique<at::cuda::CUDAGraph>();
};

/// The graphs that replay on one stream of the caller's, so one after the other: they share their intermediate memory,
/// and outputs are copied out right behind each replay.
struct lane {
  explicit lane(c10::DeviceIndex device) : capture_stream{c10::cuda::getStreamFromPool(false, device)} {}

  std::mutex busy;
  cudaStream_t caller = nullptr;        ///< null until a stream claims it
  c10::cuda::CUDAStream capture_stream; ///< memory is recycled within one stream only, so captures share it too
  decltype(at::cuda::graph_pool_handle()) memory = at::cuda::graph_pool_handle();
  std::map<std::vector<std::int64_t>, int> runs; ///< not captured yet
  std::map<std::vector<std::int64_t>, captured_run> graphs;
};

class cuda_gpu final : public gpu {
 public:
  explicit cuda_gpu(c10::DeviceIndex index) : index_{index} { at::globalContext().setBenchmarkCuDNN(true); }

  ~cuda_gpu() override {
    const c10::cuda::CUDAGuard guard{index_};
    c10::cuda::device_synchronize(); // what is replayed must not lose its memory
  }

  at::Device device() const noexcept override { return {at::kCUDA, index_}; }

  std::string prepare(const forward& model, at::IntArrayRef shape, at::ScalarType type) override {
    const c10::cuda::CUDAGuard guard{index_};
    c10::cuda::device_synchronize(); // the weights came by the default stream, which other streams do not wait for
    auto first = std::make_unique<lane>(index_);
    try {
      capture(*first, model, shape, type, warm_runs);
    } catch (const std::exception& e) {
      graphs_work_ = false;
      return "without CUDA graphs (" + brief(e.what()) + ")";
    }
    lanes_.push_back(std::move(first));
    return "CUDA graphs";
  }

  std::vector<at::Tensor> run(const forward& model, const at::Tensor& images, void* stream) override {
    const auto caller = stream == nullptr ? c10::cuda::getDefaultCUDAStream(index_)
                                          : c10::cuda::getStreamFromExternal(static_cast<cudaStream_t>(stream), index_);
    const c10::cuda::CUDAStreamGuard guard{caller}; // memory that is allocated under it belongs to the stream
    auto* own = stream != nullptr && graphs_work_ ? lane_of(caller.stream()) : nullptr;
    if (own == nullptr) return model(images);
    const std::lock_guard lock{own->busy};
    const auto* graph = graph_of(*own, model, images);
    return graph == nullptr ? model(images) : replay(*graph, images);
  }

 private:
  /// The stream's lane; null where there are too many streams.
  lane* lane_of(cudaStream_t caller) {
    const std::lock_guard lock{mutex_};
    auto found = std::ranges::find_if(lanes_, [&](const auto& l) { return l->caller == caller; });
    if (found == lanes_.end()) found = std::ranges::find_if(lanes_, [](const auto& l) { return l->caller == nullptr; });
    if (found == lanes_.end()) {
      if (lanes_.size() == most_lanes) return nullptr;
      found = lanes_.insert(lanes_.end(), std::make_unique<lane>(index_));
    }
    (*found)->caller = caller;
    return found->get();
  }

  /// The graph of that shape, captured when the shape has come often enough; null before.
  const captured_run* graph_of(lane& own, const forward& model, const at::Tensor& images) {
    const auto shape = images.sizes().vec();
    if (const auto known = own.graphs.find(shape); known != own.graphs.end()) return &known->second;
    if (own.graphs.size() == most_shapes || ++own.runs[shape] <= warm_runs) return nullptr;
    own.runs.erase(shape);
    try {
      return &capture(own, model, shape, images.scalar_type(), 1);
    } catch (const std::exception&) {
      graphs_work_ = false; // runs go on without; what is wrong with the model, if anything, they will say
      return nullptr;
    }
  }

  /// Captures on a stream of the lane's own, which has nothing to do with work that others have under way.
  const captured_run& capture(lane& own, const forward& model, at::IntArrayRef shape, at::ScalarType type,
                              int warm_up) {
    const c10::InferenceMode inference;
    const std::lock_guard lock{capturing};
    const c10::cuda::CUDAStreamGuard guard{own.capture_stream};
    captured_run made;
    made.images = at::zeros(shape, at::TensorOptions{device()}.dtype(type));
    for (int i = 0; i < warm_up; ++i) static_cast<void>(model(made.images));
    own.capture_stream.synchronize();
    try {
      // Other threads may allocate meanwhile.
      made.graph->capture_begin(own.memory, cudaStreamCaptureModeThreadLocal);
      made.outputs = model(made.images);
      made.graph->capture_end();
    } catch (...) {
      abandon(own, std::move(made.graph));
      throw;
    }
    return own.graphs.emplace(shape.vec(), std::move(made)).first->second;
  }

  /// Ends a capture that failed. What fails here says nothing new: the first failure is the one that is reported.
  void abandon(lane& own, std::unique_ptr<at::cuda::CUDAGraph> graph) noexcept {
    try {
      graph->capture_end();
    } catch (const std::exception&) {
      // Where the capture is invalid, libtorch stops before it tells its allocator.
      try {
        c10::cuda::CUDACachingAllocator::endAllocateToPool(index_, own.memory);
      } catch (const std::exception&) {
      }
    }
    static_cast<void>(cudaGetLastError()); // otherwise the next launch would report it
    static_cast<void>(graph.release());    // the allocator of pinned memory may refer to it for good
  }

  static std::vector<at::Tensor> replay(const captured_run& run, const at::Tensor& images) {
    const c10::InferenceMode inference;
    run.images.copy_(images, /*non_blocking=*/true);
    run.graph->replay();
    std::vector<at::Tensor> outputs;
    outputs.reserve(run.outputs.size());
    for (const auto& output : run.outputs) outputs.push_back(output.clone());
    return outputs;
  }

  c10::DeviceIndex index_;
  std::atomic<bool> graphs_work_ = true;
  std::mutex mutex_;
  std::vector<std::unique_ptr<lane>> lanes_;
};

} // namespace

const std::string& gpu_absent() {
  static const auto reason = []() -> std::string {
    if (auto why = cuda_absent(); !why.empty()) return why;
    try {
      return c10::cuda::device_count_ensure_non_zero() > 0 ? "" : "libtorch finds no CUDA device";
    } catch (const std::exception& e) {
      return brief(e.what());
    }
  }();
  return reason;
}

std::unique_ptr<gpu> make_gpu(int index) {
  if (!gpu_absent().empty()) fail(PENSTOCK_UNSUPPORTED, gpu_absent());
  const int count = c10::cuda::device_count();
  if (index < 0 || index >= count) {
    fail(PENSTOCK_UNSUPPORTED,
         "there is no CUDA device " + std::to_string(index) + "; libtorch sees " + std::to_string(count));
  }
  return std::make_unique<cuda_gpu>(static_cast<c10::DeviceIndex>(index));
}

} // namespace penstock::engine_module::torchscript
