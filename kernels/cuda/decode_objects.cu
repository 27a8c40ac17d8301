#include <algorithm>
#include <cuda_runtime.h>

#include "kernels/cuda/decode_blocks.cuh"
#include "kernels/cuda/launch.hpp"
#include "kernels/decode_classes.hpp"
#include "kernels/decode_objects.hpp"
#include "kernels/decode_scan.hpp"
#include "kernels/decode_suppress.hpp"
#include "kernels/decode_workspace.hpp"

namespace penstock::kernels::gpu {
namespace {

using namespace decoding;

constexpr unsigned items_of_launch = 96; ///< their geometries are one of the kernel's parameters
constexpr unsigned scan_warps = 4;       ///< of a block

struct geometries {
  geometry of[items_of_launch];
};

/// One of the model's outputs on the device.
struct device_output {
  const std::byte* data = nullptr; ///< of the first item read, and there the first number
  std::size_t item_bytes = 0;
  core::element_type type = core::element_type::f32;

  template <class T>
  __device__ const T* at(std::size_t item) const {
    return data == nullptr ? nullptr : reinterpret_cast<const T*>(data + item * item_bytes);
  }
};

device_output output_of(const decode_batch& job, std::size_t output, std::size_t first_number) {
  const auto& o = job.outputs[output];
  const auto size = core::size_of(o.type);
  return {static_cast<const std::byte*>(o.data) + first_number * size,
          o.elements() / static_cast<std::size_t>(o.shape.front()) * size, o.type};
}

/// What is kept between the kernels, of all items of the batch.
struct workspace {
  std::uint64_t* keys;
  std::int32_t* classes;
  std::uint32_t* counts;
  kept_object* kept;
  std::size_t anchors;
  std::size_t kept_room;

  __device__ candidate_list list(std::size_t item) const {
    return {keys + item * anchors, classes + item * anchors, counts + item};
  }
};

struct scan_inputs {
  device_output scores;
  device_output objectness;
  device_output labels;

  template <class T>
  __device__ score_view<T> of(std::size_t item) const {
    score_view<T> view;
    view.scores = scores.at<T>(item);
    view.objectness = objectness.at<T>(item);
    if (labels.type == core::element_type::i32) {
      view.labels32 = labels.at<std::int32_t>(item);
    } else {
      view.labels64 = labels.at<std::int64_t>(item);
    }
    return view;
  }
};

/// Grid: parts of the anchors × items.
template <unsigned V, class T>
__global__ void __launch_bounds__(32 * scan_warps)
    planes_kernel(const __grid_constant__ object_spec spec, float least_class, scan_inputs inputs, workspace space,
                  unsigned first_item) {
  const std::size_t item = first_item + blockIdx.y;
  const auto first = (blockIdx.x * scan_warps + threadIdx.x / 32) * 32 * V;
  if (first >= spec.anchors) return;
  cuda_warp warp;
  scan_planes<V>(warp, spec, least_class, inputs.of<T>(item), first, space.list(item));
}

template <class T>
__global__ void __launch_bounds__(32 * scan_warps, 5)
    rows_kernel(const __grid_constant__ object_spec spec, float least_class, scan_inputs inputs, workspace space,
                unsigned first_item) {
  __shared__ float tiles[scan_warps][32][33];
  const std::size_t item = first_item + blockIdx.y;
  const auto first = (blockIdx.x * scan_warps + threadIdx.x / 32) * 32;
  if (first >= spec.anchors) return;
  cuda_warp warp;
  scan_rows(warp, tiles[threadIdx.x / 32], spec, least_class, inputs.of<T>(item), first, space.list(item));
}

/// Boxes of one item in source pixels.
template <class T>
struct box_source {
  const object_spec& spec;
  const T* numbers;
  const geometry& g;

  __device__ core::box operator()(std::uint32_t anchor) const {
    const auto* at = numbers + anchor * spec.boxes.anchor_stride;
    const auto stride = spec.boxes.stride;
    const float raw[4] = {to_float(at[0]), to_float(at[stride]), to_float(at[2 * stride]), to_float(at[3 * stride])};
    return to_source(tensor_box(spec, anchor, raw, g), g);
  }
};

/// Grid: one block an item.
template <class T>
__global__ void __launch_bounds__(item_lanes)
    objects_kernel(const __grid_constant__ object_spec spec, device_output boxes, workspace space,
                   const __grid_constant__ geometries where, object_table table, unsigned first_item) {
  __shared__ item_memory memory;
  const std::size_t item = first_item + blockIdx.x;
  const geometry g = where.of[blockIdx.x];
  const auto list = space.list(item);
  cuda_block<item_lanes> block;
  const auto n = decode_candidates(block, memory, spec, list, *list.count, g, box_source<T>{spec, boxes.at<T>(item), g},
                                   space.kept + item * space.kept_room, table.objects + item * table.max_objects);
  if (threadIdx.x == 0) table.counts[item] = n;
}

template <class T>
__global__ void __launch_bounds__(item_lanes)
    classes_kernel(const __grid_constant__ class_spec spec, device_output values, std::uint64_t* keys,
                   const __grid_constant__ geometries where, object_table table, unsigned first_item) {
  // not of its own type, whose constructor does something
  alignas(class_memory) __shared__ unsigned char memory[sizeof(class_memory)];
  const std::size_t item = first_item + blockIdx.x;
  cuda_block<item_lanes> block;
  const auto n =
      decode_values(block, *reinterpret_cast<class_memory*>(memory), spec, values.at<T>(item),
                    keys + item * spec.classes, where.of[blockIdx.x], table.objects + item * table.max_objects);
  if (threadIdx.x == 0) table.counts[item] = n;
}

unsigned blocks_for(std::size_t n, std::size_t of_block) {
  return static_cast<unsigned>((n + of_block - 1) / of_block);
}

/// Whether `V` scores of neighbouring anchors can be read at once, everywhere.
template <unsigned V, class T>
bool in_vectors(const object_spec& spec, const scan_inputs& inputs) {
  return !spec.labels && spec.scores.anchor_stride == 1 && spec.anchors % V == 0 && spec.scores.stride % V == 0 &&
         inputs.scores.item_bytes % (V * sizeof(T)) == 0 &&
         reinterpret_cast<std::uintptr_t>(inputs.scores.data) % (V * sizeof(T)) == 0;
}

template <class T>
void launch_scan(const object_spec& spec, const scan_inputs& inputs, const workspace& space, unsigned first_item,
                 unsigned items, cudaStream_t on) {
  constexpr unsigned V = 16 / sizeof(T);
  constexpr unsigned threads = 32 * scan_warps;
  const auto least_class = least_class_score(spec.score);
  if (in_rows(spec)) {
    const dim3 grid{blocks_for(spec.anchors, threads), items};
    rows_kernel<T><<<grid, threads, 0, on>>>(spec, least_class, inputs, space, first_item);
  } else if (in_vectors<V, T>(spec, inputs)) {
    const dim3 grid{blocks_for(spec.anchors, threads * V), items};
    planes_kernel<V, T><<<grid, threads, 0, on>>>(spec, least_class, inputs, space, first_item);
  } else {
    const dim3 grid{blocks_for(spec.anchors, threads), items};
    planes_kernel<1, T><<<grid, threads, 0, on>>>(spec, least_class, inputs, space, first_item);
  }
}

geometries part_of(std::span<const geometry> all, std::size_t first, std::size_t items) {
  geometries part;
  std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(first), items, part.of);
  return part;
}

/// Calls `launch(first item, items)` for parts of the batch.
template <class F>
cudaError_t in_parts(std::size_t items, const F& launch) {
  for (std::size_t first = 0; first < items; first += items_of_launch) {
    launch(static_cast<unsigned>(first), static_cast<unsigned>(std::min<std::size_t>(items - first, items_of_launch)));
    if (const auto launched = cudaGetLastError(); launched != cudaSuccess) return launched;
  }
  return cudaSuccess;
}

cudaError_t launch_objects(const decode_batch& job, cudaStream_t on) {
  const auto& spec = *job.objects;
  const auto items = job.geometries.size();
  const auto plan = plan_workspace(spec, items);
  if (job.workspace.size() < plan.bytes) return cudaErrorInvalidValue;
  auto* base = job.workspace.data();
  const workspace space{reinterpret_cast<std::uint64_t*>(base + plan.keys),
                        reinterpret_cast<std::int32_t*>(base + plan.classes),
                        reinterpret_cast<std::uint32_t*>(base + plan.counts),
                        reinterpret_cast<kept_object*>(base + plan.kept),
                        spec.anchors,
                        plan.kept_room};
  scan_inputs inputs;
  inputs.scores = output_of(job, spec.scores.output, spec.scores.first);
  if (spec.objectness) inputs.objectness = output_of(job, spec.objectness->output, spec.objectness->first);
  if (spec.labels) inputs.labels = output_of(job, spec.labels->output, spec.labels->first);
  const auto boxes = output_of(job, spec.boxes.output, spec.boxes.first);
  if (const auto set = cudaMemsetAsync(space.counts, 0, items * sizeof(std::uint32_t), on); set != cudaSuccess)
    return set;
  return in_parts(items, [&](unsigned first, unsigned n) {
    if (spec.anchors > 0 && inputs.scores.type == core::element_type::f16) {
      launch_scan<half_bits>(spec, inputs, space, first, n, on);
    } else if (spec.anchors > 0) {
      launch_scan<float>(spec, inputs, space, first, n, on);
    }
    const auto where = part_of(job.geometries, first, n);
    if (boxes.type == core::element_type::f16) {
      objects_kernel<half_bits><<<n, item_lanes, 0, on>>>(spec, boxes, space, where, job.table, first);
    } else {
      objects_kernel<float><<<n, item_lanes, 0, on>>>(spec, boxes, space, where, job.table, first);
    }
  });
}

cudaError_t launch_classes(const decode_batch& job, cudaStream_t on) {
  const auto& spec = *job.classes;
  const auto items = job.geometries.size();
  if (job.workspace.size() < workspace_bytes(spec, items)) return cudaErrorInvalidValue;
  auto* keys = reinterpret_cast<std::uint64_t*>(job.workspace.data());
  const auto values = output_of(job, spec.output, 0);
  return in_parts(items, [&](unsigned first, unsigned n) {
    const auto where = part_of(job.geometries, first, n);
    if (values.type == core::element_type::f16) {
      classes_kernel<half_bits><<<n, item_lanes, 0, on>>>(spec, values, keys, where, job.table, first);
    } else {
      classes_kernel<float><<<n, item_lanes, 0, on>>>(spec, values, keys, where, job.table, first);
    }
  });
}

} // namespace

cudaError_t launch_decode(const decode_batch& job, cudaStream_t on) {
  if (job.geometries.empty()) return cudaSuccess;
  return job.objects != nullptr ? launch_objects(job, on) : launch_classes(job, on);
}

} // namespace penstock::kernels::gpu
