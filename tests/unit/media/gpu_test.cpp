#include <memory>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

#include "media/nal.hpp"
#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;

namespace {

/// No machine has so many GPUs.
const decode_options absent_gpu{.cuda_device = 4711};

/// What is logged while it lives.
class log_capture {
 public:
  log_capture() {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  ~log_capture() { spdlog::set_default_logger(before_); }

  [[nodiscard]] std::size_t count(const std::string& what) const {
    const auto text = text_.str();
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }

 private:
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream text_;
};

/// Runs hidden tests of this program where fake_gpu/ stands for the driver's libraries; the environment tells it how to
/// behave. What went wrong is in the exception.
void run_with_fake_gpu(const std::string& tag, const std::string& environment = {}) {
  static const fs::path libraries = [] {
    const auto sources = fs::path{PENSTOCK_FAKE_GPU};
    for (const auto* name : {"cuda", "nvcuvid"})
      (void)output_of("c++ -std=c++20 -O1 -shared -fPIC -w -o " + (folder() / "lib") + name + ".so.1 " +
                      (sources / name).string() + ".cpp 2>&1");
    return fs::path{folder() / ""};
  }();
  const auto program = fs::read_symlink("/proc/self/exe").string();
  INFO(tag);
  CHECK_NOTHROW(
      output_of("LD_LIBRARY_PATH=" + libraries.string() + " " + environment + " " + program + " '" + tag + "' 1>&2"));
}

/// What the fake GPU makes of a packet's slices, which FFmpeg hands to it behind start codes.
std::uint32_t picture_sum(const core::packet& packet) {
  std::uint32_t sum = 2166136261U;
  const auto take = [&](std::byte b) { sum = (sum ^ std::to_integer<std::uint32_t>(b)) * 16777619U; };
  nal_reader units{packet.bytes, 4};
  while (const auto unit = units.next()) {
    const auto type = std::to_integer<int>(unit->front()) & 31;
    if (type != 1 && type != 5) continue;
    for (const int b : {0, 0, 1}) take(std::byte(b));
    for (const auto b : *unit) take(b);
  }
  return sum;
}

/// Whether every pixel is of that picture. `coded_rows`: of luma, as coded.
bool shows(const core::frame_view& view, std::uint32_t sum, int coded_rows) {
  const auto plane_shows = [&](std::size_t plane, int rows, int first) {
    for (int y = 0; y < rows; ++y)
      for (int x = 0; x < view.width_px; ++x) {
        const auto expected = static_cast<std::uint8_t>((sum >> 8 * (x % 4)) ^ static_cast<std::uint32_t>(first + y));
        if (view.planes[plane][y * view.strides_bytes[plane] + x] != expected) return false;
      }
    return true;
  };
  return plane_shows(0, view.height_px, 0) && plane_shows(1, view.height_px / 2, coded_rows);
}

const decode_options first_gpu{.cuda_device = 0};

} // namespace

TEST_CASE("a GPU's frames are in memory of ours, and never in the way of its decoder; checked with a fake GPU") {
  run_with_fake_gpu("[fake-gpu-works]");
}

TEST_CASE("frames of a GPU", "[.fake-gpu-works]") {
  const auto all = record(clip("gpu.mp4", "-c:v libx264 -g 12 -bf 2"));
  const auto expected = decode_all(all);
  std::vector<decoded> kept; // more than the decoder has surfaces, and longer than it lives
  for (int round = 0; round < 2; ++round)
    for (auto& outcome : decode_all(all, first_gpu)) kept.push_back(std::move(outcome));
  REQUIRE(kept.size() == 2 * expected.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK(kept[i].key == expected[i % expected.size()].key);
    REQUIRE(kept[i].frame);
    const auto& view = (*kept[i].frame)->view;
    CHECK(view.memory == core::memory_kind::device);
    CHECK(view.format == core::pixel_format::nv12);
    CHECK(view.width_px == 192);
    CHECK(view.height_px == 108);
    CHECK(shows(view, picture_sum(*all.packets[kept[i].key]), 112));
  }
  const auto deep =
      decode_all(record(clip("gpu10.mkv", "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le")), first_gpu);
  REQUIRE(deep.size() == 48);
  for (const auto& outcome : deep) CHECK((*outcome.frame)->view.format == core::pixel_format::p010);

  const auto limited = decode_all(all, {.max_pixels = 192 * 112 - 1, .cuda_device = 0});
  REQUIRE(limited.size() == 48);
  for (const auto& outcome : limited) CHECK(outcome.frame.error().code == core::errc::too_large);
}

TEST_CASE("a stream that the GPU refuses is decoded on the CPU; checked with a fake GPU") {
  run_with_fake_gpu("[fake-gpu-refuses]", "FAKE_GPU_REFUSES=1");
}

TEST_CASE("frames in spite of a GPU", "[.fake-gpu-refuses]") {
  const log_capture log;
  const auto all = record(clip("gpu.mp4", "-c:v libx264 -g 12 -bf 2"));
  const auto expected = decode_all(all);
  for (int round = 0; round < 2; ++round) {
    const auto outcomes = decode_all(all, first_gpu);
    REQUIRE(outcomes.size() == expected.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      CHECK(checksum((*outcomes[i].frame)->view) == checksum((*expected[i].frame)->view));
  }
  CHECK(log.count("h264 yuv420p 192x112 is decoded on the CPU: GPU 0 has no decoder for it") == 1);
}

TEST_CASE("a GPU that fails is an error of the decoder, not of the stream; checked with a fake GPU") {
  run_with_fake_gpu("[fake-gpu-breaks]", "FAKE_GPU_FAILS_AT=20");
}

TEST_CASE("a GPU that fails", "[.fake-gpu-breaks]") {
  const auto all = record(clip("gpu.mp4", "-c:v libx264 -g 12 -bf 2"));
  auto decode = decoder::open(*all.codecs[0], first_gpu);
  REQUIRE(decode);
  std::size_t sent = 0;
  core::expected<void> result;
  for (; result && sent < all.packets.size(); ++sent) result = decode->send(*all.packets[sent], sent);
  CHECK(sent == 20);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == core::errc::engine);
  (void)decode->flush();
  std::vector<decoded> outcomes;
  take(*decode, outcomes);
  CHECK(outcomes.size() == 20); // each packet has its outcome; frames that came before the failure are whole
  for (const auto& outcome : outcomes)
    if (outcome.frame) CHECK(shows((*outcome.frame)->view, picture_sum(*all.packets[outcome.key]), 112));
}

TEST_CASE("without the GPU it was told to use, the decoder gives the CPU's frames, and says why once") {
  const log_capture log;
  for (const auto& [name, encoding] :
       {std::pair{"gpu.mp4", "-c:v libx264 -g 12 -bf 2"}, std::pair{"gpu10.mp4", "-c:v libx264 -pix_fmt yuv420p10le"},
        std::pair{"gpu.mkv", "-c:v libx265 -x265-params log-level=none"}}) {
    INFO(name);
    const auto all = record(clip(name, encoding));
    const auto expected = decode_all(all);
    const auto outcomes = decode_all(all, absent_gpu);
    REQUIRE(outcomes.size() == 48);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      CHECK(outcomes[i].key == expected[i].key);
      const auto& view = (*outcomes[i].frame)->view;
      CHECK(view.memory == core::memory_kind::host);
      CHECK(checksum(view) == checksum((*expected[i].frame)->view));
    }
  }
  CHECK(log.count("video is decoded on the CPU: GPU 4711 cannot be used: ") == 1);
  CHECK(log.count("decoded on the CPU") == 1);
}

TEST_CASE("codecs whose pixels depend on the decoder stay on the CPU, whatever GPU there is") {
  const log_capture log;
  const auto all = record(clip("gpu.avi", "-c:v mpeg4 -g 12"));
  CHECK(decode_all(all, absent_gpu).size() == 48);
  CHECK(decode_all(all, absent_gpu).size() == 48);
  CHECK(log.count("mpeg4 is decoded on the CPU: ") == 1);
}
