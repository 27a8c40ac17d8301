#include <array>
#include <fstream>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/minimal_bytes.hpp"
#include "bench/gpu/random_data.hpp"
#include "kernels/preprocess_batch.hpp"

namespace penstock::bench {

namespace {

constexpr int width_px = 1920;
constexpr int height_px = 1080;

void write(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  std::ofstream out{file, std::ios::binary};
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) throw std::runtime_error{file.string() + " cannot be written"};
}

} // namespace

nlohmann::json preprocess_figures(const bench_device& on, const std::filesystem::path& dump) {
  const std::size_t images = on.real ? 64 : 2;
  kernels::preprocess_spec spec;
  spec.width_px = spec.height_px = 640;
  spec.type = core::element_type::f16;
  const auto minimal = of_nv12(spec, width_px, height_px);
  const auto frame_bytes = nv12_bytes(width_px, height_px);
  const auto slot_bytes = minimal.written;

  // What a call reads and writes is as much as caches hold: a few sets of both take turns.
  const auto sets = inputs_beyond_cache(images * frame_bytes, on.cache_bytes);
  std::mt19937_64 random{2};
  std::vector<kernels::buffer> pixels;
  std::vector<kernels::buffer> tensors;
  std::vector<std::vector<core::frame_view>> frames(sets);
  for (auto& set : frames) {
    pixels.push_back(random_buffer(on, images * frame_bytes, core::memory_kind::device, random));
    tensors.push_back(on.memory(images * slot_bytes));
    for (std::size_t i = 0; i < images; ++i)
      set.push_back(nv12_view(pixels.back().data() + i * frame_bytes, width_px, height_px, on.device->info().memory));
  }
  const std::array<std::int64_t, 4> shape{static_cast<std::int64_t>(images), 3, spec.height_px, spec.width_px};
  const auto run = [&](std::size_t i) {
    const core::tensor_view slots{tensors[i].data(), spec.type, shape, on.device->info().memory};
    must(on.device->preprocess(*on.stream, {spec, frames[i], slots, 0}), "preprocess");
  };
  const auto seconds = device_seconds(on, sets, run);
  const auto enqueue = wall_seconds(std::min<std::size_t>(on.repeats, 20), [&] { run(0); });
  must(on.device->synchronize(*on.stream), "preprocess");

  if (!dump.empty()) {
    const auto host = on.pinned(frame_bytes + slot_bytes);
    on.copy(host.data(), pixels[0].data(), frame_bytes);
    on.copy(host.data() + frame_bytes, tensors[0].data(), slot_bytes);
    write(dump / "frame.nv12", host.span().first(frame_bytes));
    write(dump / "tensor.f16", host.span().subspan(frame_bytes, slot_bytes));
  }
  return {{"images", images}, {"read_bytes", images * minimal.read}, {"written_bytes", images * minimal.written},
          {"sets", sets},     {"us", to_json(seconds, 1e6)},         {"host_us_of_the_call", to_json(enqueue, 1e6)}};
}

} // namespace penstock::bench
