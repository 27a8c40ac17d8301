#include <array>
#include <cstring>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/random_data.hpp"

namespace penstock::bench {

namespace {

constexpr int width_px = 1920;
constexpr int height_px = 1080;
constexpr std::size_t classes = 80;
constexpr std::size_t anchors = 8400;

/// Planes at `data` that are written to: nv12 or i420 of an even size.
kernels::picture picture_at(std::byte* data, int width, int height, core::pixel_format format) {
  auto* y = reinterpret_cast<std::uint8_t*>(data);
  auto* u = y + static_cast<std::ptrdiff_t>(width) * height;
  const bool nv12 = format == core::pixel_format::nv12;
  kernels::picture p;
  p.width_px = width;
  p.height_px = height;
  p.format = format;
  p.planes = {y, u, nv12 ? nullptr : u + static_cast<std::ptrdiff_t>(width / 2) * (height / 2)};
  p.strides_bytes = {width, nv12 ? width : width / 2, nv12 ? 0 : width / 2};
  return p;
}

/// Seconds for each picture, by kernel.
struct kernel_seconds {
  spread preprocess;
  spread decode;
  spread annotate;
  spread jpeg_planes;
};

/// All four on whatever device: 1080p NV12 to 640×640 f32, 84 × 8400 f32 with 100 candidates, 100 boxes drawn, and
/// planes of 640×360 for a preview.
kernel_seconds measure(const bench_device& on, std::size_t images) {
  const auto memory = on.device->info().memory;
  const auto per_image = [&](spread s) {
    for (auto* v : {&s.median, &s.low, &s.high}) *v /= static_cast<double>(images);
    return s;
  };
  kernel_seconds all;
  std::mt19937_64 random{4};
  const auto n = static_cast<std::int64_t>(images);
  const auto frame_bytes = nv12_bytes(width_px, height_px);

  kernels::preprocess_spec spec;
  spec.width_px = spec.height_px = 640;
  const auto frames = random_buffer(on, images * frame_bytes, core::memory_kind::device, random);
  const auto tensor = on.memory(images * 3 * 640 * 640 * sizeof(float));
  const std::array<std::int64_t, 4> slots{n, 3, 640, 640};
  std::vector<core::frame_view> views;
  for (std::size_t i = 0; i < images; ++i)
    views.push_back(nv12_view(frames.data() + i * frame_bytes, width_px, height_px, memory));
  all.preprocess = per_image(device_seconds(on, 1, [&](std::size_t) {
    must(on.device->preprocess(*on.stream, {spec, views, {tensor.data(), spec.type, slots, memory}, 0}), "preprocess");
  }));

  const auto layout = yolov8_layout(anchors, classes);
  const auto values = random_outputs(images, anchors, classes, 100, 640, random);
  const auto staged = on.pinned(values.size() * sizeof(float));
  std::memcpy(staged.data(), values.data(), staged.size_bytes());
  const auto outputs = on.memory(staged.size_bytes());
  on.copy(outputs.data(), staged.data(), staged.size_bytes());
  const auto counts = on.memory(images * sizeof(std::uint32_t));
  const auto objects = on.memory(images * layout.max_objects * sizeof(kernels::device_object));
  const auto workspace = on.memory(kernels::workspace_bytes(layout, images));
  const std::vector geometries(images, kernels::map(spec, width_px, height_px));
  const std::array<std::int64_t, 3> shape{n, 4 + classes, anchors};
  const core::const_tensor_view output{outputs.data(), core::element_type::f32, shape, memory};
  kernels::decode_batch job;
  job.objects = &layout;
  job.outputs = {&output, 1};
  job.geometries = geometries;
  job.table = {reinterpret_cast<std::uint32_t*>(counts.data()),
               reinterpret_cast<kernels::device_object*>(objects.data()), images, layout.max_objects};
  job.workspace = workspace.span();
  all.decode =
      per_image(device_seconds(on, 1, [&](std::size_t) { must(on.device->decode(*on.stream, job), "decode"); }));

  std::vector<kernels::device_object> drawn;
  for (int i = 0; i < 100; ++i) {
    const auto below = [&](unsigned limit) { return static_cast<float>(random() % limit); };
    drawn.push_back({below(1700), below(900), 20 + below(180), 20 + below(150), 0.5F,
                     static_cast<std::int32_t>(random() % classes)});
  }
  std::vector<kernels::label_text> labels(drawn.size());
  for (auto& label : labels) std::memcpy(label.text.data(), "person 0.50", 12);
  all.annotate = per_image(device_seconds(on, 1, [&](std::size_t) {
    for (std::size_t i = 0; i < images; ++i) {
      const auto target = picture_at(frames.data() + i * frame_bytes, width_px, height_px, core::pixel_format::nv12);
      must(on.device->annotate(*on.stream, {target, drawn, labels, 2, 1}), "annotate");
    }
  }));

  all.jpeg_planes = per_image(device_seconds(on, 1, [&](std::size_t) {
    for (std::size_t i = 0; i < images; ++i) {
      const auto target = picture_at(tensor.data() + i * nv12_bytes(640, 360), 640, 360, core::pixel_format::i420);
      must(on.device->to_jpeg_planes(*on.stream, {views[i], target}), "to_jpeg_planes");
    }
  }));
  return all;
}

} // namespace

nlohmann::json twin_figures(const bench_device& on) {
  bench_device cpu;
  cpu.device = kernels::make_host_device();
  cpu.stream = must(cpu.device->make_stream(), "stream");
  cpu.real = false;
  cpu.repeats = std::min<std::size_t>(on.repeats, 10);
  const auto device = measure(on, on.real ? 64 : 2);
  const auto host = measure(cpu, 2);
  auto rows = nlohmann::json::array();
  const auto row = [&](const char* name, const spread& here, const spread& twin) {
    rows.push_back({{"kernel", name},
                    {"device_us", to_json(here, 1e6)},
                    {"cpu_us", to_json(twin, 1e6)},
                    {"times", here.median > 0 ? twin.median / here.median : 0}});
  };
  row("preprocess", device.preprocess, host.preprocess);
  row("decode", device.decode, host.decode);
  row("annotate", device.annotate, host.annotate);
  row("to_jpeg_planes", device.jpeg_planes, host.jpeg_planes);
  return rows;
}

} // namespace penstock::bench
