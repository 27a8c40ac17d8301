/// Penstock's decode and preprocess without actors, engine and results: packets, frames, a normalised tensor each. What
/// GStreamer's `decodebin ! videoscale ! videoconvert` is compared with.

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bench/arguments.hpp"
#include "bench/figures.hpp"
#include "kernels/preprocess.hpp"
#include "media/decoder.hpp"
#include "media/source.hpp"

namespace {

using namespace penstock;

constexpr auto usage = "front --input VIDEO [--width W] [--height H] [--effort exact|fast] [--threads N] [--json FILE]";

template <class T>
T must(core::expected<T> value) {
  if (!value) throw std::runtime_error(value.error().message);
  return std::move(*value);
}

class front {
 public:
  explicit front(const kernels::preprocess_spec& spec)
      : spec_{spec}, tensor_(static_cast<std::size_t>(3 * spec.width_px * spec.height_px)), shape_{1, 3, spec.height_px,
                                                                                                   spec.width_px} {}

  void take(media::decoder& decoder) {
    while (auto out = decoder.receive()) {
      const auto frame = must(std::move(out->frame));
      if (!plan_ || !plan_->serves(frame->view)) plan_ = must(kernels::preprocess_plan::make(spec_, frame->view));
      workspace_.resize(plan_->workspace_bytes());
      if (auto ok = plan_->run(frame->view, {tensor_.data(), core::element_type::f32, shape_}, workspace_); !ok)
        throw std::runtime_error(ok.error().message);
      ++frames;
    }
  }

  int frames = 0;

 private:
  kernels::preprocess_spec spec_;
  std::vector<float> tensor_;
  std::vector<std::int64_t> shape_;
  std::optional<kernels::preprocess_plan> plan_;
  std::vector<std::byte> workspace_;
};

int run(const bench::arguments& given) {
  kernels::preprocess_spec spec;
  spec.width_px = given.integer("width");
  spec.height_px = given.integer("height");
  spec.fit = kernels::fit::stretch;
  media::decode_options options;
  options.threads = given.integer("threads");
  options.effort = given["effort"] == "fast" ? media::decode_effort::fast : media::decode_effort::exact;
  media::source_options from;
  from.uri = given["input"];
  front to{spec};

  const bench::stopwatch watch;
  const auto source = must(media::open_source(from));
  std::optional<media::decoder> decoder;
  for (std::uint64_t key = 0;; ++key) {
    const auto packet = source->read();
    if (!packet && packet.error().code == core::errc::end_of_stream) break;
    if (!packet) throw std::runtime_error(packet.error().message);
    if (!decoder) decoder = must(media::decoder::open(*source->codec(), options));
    if (auto sent = decoder->send(**packet, key); !sent) throw std::runtime_error(sent.error().message);
    to.take(*decoder);
  }
  if (decoder) decoder->flush();
  if (decoder) to.take(*decoder);
  const auto figures = watch.figures(to.frames);

  if (given["json"] != "-") std::printf("%d frames, %.1f frames/s\n", to.frames, figures["frames_per_s"].get<double>());
  if (!bench::write_figures(given["json"], figures)) throw std::runtime_error(given["json"] + ": cannot be written");
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const bench::arguments given{
      argc,
      argv,
      {{"input", ""}, {"width", "352"}, {"height", "352"}, {"effort", "exact"}, {"threads", "1"}, {"json", ""}},
      usage};
  if (given["input"].empty()) bench::arguments::stop(usage);
  try {
    return run(given);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "front: %s\n", e.what());
    return 1;
  }
}
