#include <array>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/random_data.hpp"
#include "kernels/convert.hpp"
#include "kernels/decode_objects.hpp"

namespace penstock::bench {

namespace {

constexpr std::size_t classes = 80;
constexpr std::size_t anchors = 8400;

/// One input: outputs of a batch in device memory.
kernels::buffer upload(const bench_device& on, const std::vector<float>& values, core::element_type type) {
  const auto host = on.pinned(values.size() * core::size_of(type));
  if (type == core::element_type::f16) {
    kernels::to_f16(values, {reinterpret_cast<std::uint16_t*>(host.data()), values.size()});
  } else {
    std::memcpy(host.data(), values.data(), host.size_bytes());
  }
  auto memory = on.memory(host.size_bytes());
  on.copy(memory.data(), host.data(), host.size_bytes());
  return memory;
}

nlohmann::json figures_of(const bench_device& on, core::element_type type, std::size_t candidates) {
  const std::size_t items = on.real ? 64 : 2;
  const auto spec = yolov8_layout(anchors, classes);
  const std::array<std::int64_t, 3> shape{static_cast<std::int64_t>(items), 4 + classes, anchors};
  const auto bytes = items * (4 + classes) * anchors * core::size_of(type);
  std::mt19937_64 random{3};
  std::vector<kernels::buffer> inputs(inputs_beyond_cache(bytes, on.cache_bytes));
  for (auto& input : inputs) input = upload(on, random_outputs(items, anchors, classes, candidates, 640, random), type);

  const auto workspace = on.memory(kernels::workspace_bytes(spec, items));
  const auto counts = on.memory(items * sizeof(std::uint32_t));
  const auto objects = on.memory(items * spec.max_objects * sizeof(kernels::device_object));
  const std::vector geometries(items, kernels::map(kernels::fit::letterbox, 1920, 1080, 640, 640));
  const auto seconds = device_seconds(on, inputs.size(), [&](std::size_t i) {
    const core::const_tensor_view output{inputs[i].data(), type, shape, on.device->info().memory};
    kernels::decode_batch job;
    job.objects = &spec;
    job.outputs = {&output, 1};
    job.geometries = geometries;
    job.table = {reinterpret_cast<std::uint32_t*>(counts.data()),
                 reinterpret_cast<kernels::device_object*>(objects.data()), items, spec.max_objects};
    job.workspace = workspace.span();
    must(on.device->decode(*on.stream, job), "decode");
  });
  const auto found = on.pinned(counts.size_bytes());
  on.copy(found.data(), counts.data(), counts.size_bytes());
  std::size_t objects_in_all = 0;
  for (std::size_t i = 0; i < items; ++i) objects_in_all += reinterpret_cast<const std::uint32_t*>(found.data())[i];
  return {{"items", items},
          {"type", core::to_string(type)},
          {"candidates", std::min(candidates, anchors)},
          {"objects_per_item", static_cast<double>(objects_in_all) / static_cast<double>(items)},
          {"read_bytes", items * classes * anchors * core::size_of(type)},
          {"us", to_json(seconds, 1e6)}};
}

} // namespace

nlohmann::json decode_figures(const bench_device& on) {
  auto all = nlohmann::json::array();
  for (const auto type : {core::element_type::f32, core::element_type::f16}) {
    if (type == core::element_type::f16 && !on.real) continue; // the twin reads f32 only
    for (const std::size_t candidates : {std::size_t{0}, std::size_t{100}, std::size_t{1000}, anchors})
      all.push_back(figures_of(on, type, candidates));
  }
  return all;
}

} // namespace penstock::bench
