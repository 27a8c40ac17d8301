/// What no pipeline on one core can exceed: libavcodec alone (one thread, packets in memory, frames thrown away) and
/// the engine alone (ONNX Runtime on a constant tensor), one after the other on every frame: 1/(1/decode + 1/engine).
/// Decoding and inference take turns in short rounds, so that load beside them falls on both.

#include <memory>
#include <stdexcept>
#include <vector>

#include "bench/arguments.hpp"
#include "bench/figures.hpp"
#include "bench/onnx_model.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace {

using namespace penstock::bench;

constexpr auto usage = "ceiling --model M.onnx --input VIDEO [--threads N] [--json FILE]";

struct closing {
  void operator()(AVFormatContext* c) const { avformat_close_input(&c); }
  void operator()(AVCodecContext* c) const { avcodec_free_context(&c); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVFrame* f) const { av_frame_free(&f); }
};
template <class T>
using av = std::unique_ptr<T, closing>;

class clip {
 public:
  clip(const std::string& file, int threads) {
    AVFormatContext* opened = nullptr;
    if (avformat_open_input(&opened, file.c_str(), nullptr, nullptr) < 0)
      throw std::runtime_error(file + ": cannot be opened");
    const av<AVFormatContext> format{opened};
    if (avformat_find_stream_info(format.get(), nullptr) < 0) throw std::runtime_error(file + ": no streams");
    const AVCodec* codec = nullptr;
    const int video = av_find_best_stream(format.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (video < 0) throw std::runtime_error(file + ": no video");
    while (true) {
      av<AVPacket> packet{av_packet_alloc()};
      if (av_read_frame(format.get(), packet.get()) < 0) break;
      if (packet->stream_index == video) packets_.push_back(std::move(packet));
    }
    decoder_.reset(avcodec_alloc_context3(codec));
    avcodec_parameters_to_context(decoder_.get(), format->streams[video]->codecpar);
    decoder_->thread_count = threads;
    if (avcodec_open2(decoder_.get(), codec, nullptr) < 0) throw std::runtime_error(file + ": no decoder");
  }

  [[nodiscard]] bool done() const { return at_ > packets_.size(); }

  /// Decodes up to `n` packets, and the rest at the end; returns how many frames came out.
  int decode(int n) {
    int frames = 0;
    for (; n > 0 && !done(); --n, ++at_) {
      avcodec_send_packet(decoder_.get(), at_ < packets_.size() ? packets_[at_].get() : nullptr);
      while (avcodec_receive_frame(decoder_.get(), frame_.get()) == 0) ++frames;
    }
    return frames;
  }

 private:
  std::vector<av<AVPacket>> packets_;
  av<AVCodecContext> decoder_;
  av<AVFrame> frame_{av_frame_alloc()};
  std::size_t at_ = 0;
};

struct total {
  int n = 0;
  double seconds = 0;
  double cpu_seconds = 0;

  template <class F>
  void add(F&& work) {
    const stopwatch watch;
    n += work();
    seconds += watch.seconds();
    cpu_seconds += watch.cpu_seconds();
  }

  [[nodiscard]] double per_s() const { return n / seconds; }
  [[nodiscard]] nlohmann::json figures() const {
    return {{"n", n}, {"seconds", seconds}, {"cpu_seconds", cpu_seconds}, {"per_s", per_s()}};
  }
};

int run(const arguments& given) {
  constexpr int round = 50;
  const auto threads = given.integer("threads");
  clip video{given["input"], threads};
  onnx_model model{given["model"], threads};
  std::vector<float> image(static_cast<std::size_t>(3 * model.width() * model.height()), 0.5F);
  for (int i = 0; i < 10; ++i) model.run(image.data());
  total decode;
  total engine;
  while (!video.done()) {
    decode.add([&] { return video.decode(round); });
    engine.add([&] {
      for (int i = 0; i < round; ++i) model.run(image.data());
      return round;
    });
  }
  const auto ceiling = 1 / (1 / decode.per_s() + 1 / engine.per_s());
  if (given["json"] != "-")
    std::printf("decode %.1f/s, engine %.1f/s, ceiling %.1f frames/s\n", decode.per_s(), engine.per_s(), ceiling);
  const nlohmann::json all{{"decode", decode.figures()}, {"engine", engine.figures()}, {"frames_per_s", ceiling}};
  if (!write_figures(given["json"], all)) throw std::runtime_error(given["json"] + ": cannot be written");
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const arguments given{argc, argv, {{"model", ""}, {"input", ""}, {"threads", "1"}, {"json", ""}}, usage};
  if (given["model"].empty() || given["input"].empty()) arguments::stop(usage);
  try {
    return run(given);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "ceiling: %s\n", e.what());
    return 1;
  }
}
