#include <cstdlib>
#include <cstring>

#include "tests/gpu/gpu.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;

namespace {

/// A plane of a frame on the GPU, in host memory, behind all that its decoder has put on the default stream.
kernels::buffer fetch(kernels::device& device, const core::frame_view& view, std::size_t plane, int rows) {
  const auto bytes = static_cast<std::size_t>(view.strides_bytes[plane]) * static_cast<std::size_t>(rows);
  auto memory = device.allocate(bytes, core::memory_kind::host);
  auto stream = device.make_stream();
  REQUIRE(memory);
  REQUIRE(stream);
  REQUIRE(device.wait_for_default_stream(**stream));
  REQUIRE(device.copy(**stream, memory->data(), reinterpret_cast<const std::byte*>(view.planes[plane]), bytes));
  REQUIRE(device.synchronize(**stream));
  return *memory;
}

/// Whether nv12 from the GPU is i420 from the CPU, sample for sample.
bool same(kernels::device& device, const core::frame_view& gpu, const core::frame_view& cpu) {
  const auto luma = fetch(device, gpu, 0, gpu.height_px);
  for (int y = 0; y < cpu.height_px; ++y)
    if (std::memcmp(luma.data() + y * gpu.strides_bytes[0], cpu.planes[0] + y * cpu.strides_bytes[0],
                    static_cast<std::size_t>(cpu.width_px)) != 0)
      return false;
  const int rows = (gpu.height_px + 1) / 2;
  const auto chroma = fetch(device, gpu, 1, rows);
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < cpu.width_px; ++x) {
      const auto plane = static_cast<std::size_t>(1 + x % 2);
      if (std::to_integer<std::uint8_t>(chroma.data()[y * gpu.strides_bytes[1] + x]) !=
          cpu.planes[plane][y * cpu.strides_bytes[plane] + x / 2])
        return false;
    }
  return true;
}

void check_same(kernels::device& device, const std::string& path) {
  INFO(path);
  const auto all = record(path);
  const auto expected = decode_all(all);
  const auto outcomes = decode_all(
      all,
      {.cuda_device = static_cast<int>(device.info().index)}); // all at once: many more than a decoder has surfaces
  REQUIRE(outcomes.size() == expected.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    INFO("frame " << i);
    REQUIRE(outcomes[i].key == expected[i].key);
    REQUIRE(outcomes[i].frame.has_value() == expected[i].frame.has_value());
    if (!outcomes[i].frame) continue;
    const auto& view = (*outcomes[i].frame)->view;
    const auto& cpu = (*expected[i].frame)->view;
    REQUIRE(view.memory == core::memory_kind::device);
    REQUIRE(view.format == core::pixel_format::nv12);
    REQUIRE(view.width_px == cpu.width_px);
    REQUIRE(view.height_px == cpu.height_px);
    REQUIRE(view.range == cpu.range);
    REQUIRE(view.matrix == cpu.matrix);
    REQUIRE(same(device, view, cpu));
  }
}

} // namespace

TEST_CASE("the GPU decodes to the frames of the CPU, bit for bit") {
  const auto device = first_gpu();
  if (!device) return;
  check_same(*device, clip("gpu-h264.mp4", "-c:v libx264 -g 24 -bf 3", "640x362"));
  check_same(*device, clip("gpu-hevc.mp4", "-c:v libx265 -x265-params log-level=none", "640x360"));
  check_same(*device, clip("gpu-vp9.mkv", "-c:v libvpx-vp9 -deadline realtime", "640x360"));
}

TEST_CASE("real footage is the same on the GPU and on the CPU") {
  const auto device = first_gpu();
  if (!device) return;
  const auto* shared = std::getenv("PENSTOCK_SHARED");
  const auto folder = fs::path{shared ? shared : "../shared"} / "media";
  for (const auto* name : {"car-detection.mp4", "one-by-one-person-detection.mp4"}) {
    if (!fs::exists(folder / name)) {
      WARN("skipped: no " << (folder / name).string());
      continue;
    }
    check_same(*device, (folder / name).string());
  }
}

TEST_CASE("ten bits from the GPU are those of the CPU") {
  const auto device = first_gpu();
  if (!device) return;
  const auto all = record(clip("gpu-hevc10.mkv",
                               "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le "
                               "-frames:v 8",
                               "640x360"));
  // what the CPU decodes, ten bits a sample in the lower end of sixteen
  const auto raw = folder() / "gpu-hevc10.yuv";
  ffmpeg("-i " + (folder() / "gpu-hevc10.mkv") + " -f rawvideo -pix_fmt yuv420p10le " + raw);
  const auto expected = read_file(raw);
  const auto outcomes = decode_all(all, {.cuda_device = static_cast<int>(device->info().index)});
  REQUIRE(outcomes.size() * (640 * 360 * 3) == expected.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    REQUIRE(outcomes[i].frame);
    const auto& view = (*outcomes[i].frame)->view;
    REQUIRE(view.format == core::pixel_format::p010);
    const auto luma = fetch(*device, view, 0, 360);
    std::size_t wrong = 0;
    for (std::size_t y = 0; y < 360; ++y)
      for (std::size_t x = 0; x < 640; ++x) {
        std::uint16_t gpu_sample = 0, cpu_sample = 0;
        std::memcpy(&gpu_sample, luma.data() + y * static_cast<std::size_t>(view.strides_bytes[0]) + 2 * x, 2);
        std::memcpy(&cpu_sample, expected.data() + i * (640 * 360 * 3) + 2 * (y * 640 + x), 2);
        wrong += gpu_sample >> 6 != cpu_sample;
      }
    REQUIRE(wrong == 0);
  }
}
