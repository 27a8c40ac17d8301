#include <memory>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

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

} // namespace

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
