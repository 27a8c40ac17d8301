#include <fmt/format.h>

#include <optional>
#include <system_error>
#include <utility>

#include "actors/sinks/durable.hpp"
#include "actors/sinks/sinks.hpp"
#include "media/annotate.hpp"
#include "media/encoder.hpp"

namespace penstock::actors::sinks {

namespace {

/// A file that nobody has written yet: "door.mp4", or else "door-2.mp4" and so on.
std::filesystem::path unused(const std::filesystem::path& path) {
  auto free = path;
  std::error_code failed;
  for (int number = 2; std::filesystem::exists(free, failed); ++number)
    free.replace_filename(fmt::format("{}-{}{}", path.stem().string(), number, path.extension().string()));
  return free;
}

/// Opens its file with the first frame, whose size the video gets. A file cannot be continued: after another life of
/// the head a new one is begun beside it.
class mp4_sink : public result_sink {
 public:
  explicit mp4_sink(const sink_context& context) : context_{context} {
    if (context_.resume_seq) context_.path = unused(context_.path);
  }

  core::expected<void> write(const core::frame_result& result, const core::frame* frame) override {
    const auto drawn = media::annotate(frame->view, result.objects, *context_.labels);
    if (!drawn) return tl::unexpected{drawn.error()};
    if (!writer_) {
      if (auto opened = open(frame->view); !opened) return opened;
    }
    return writer_->write((*drawn)->view, result.pts);
  }

  core::expected<void> flush() override { return {}; }

  std::filesystem::path output() const override { return context_.path; }

  core::expected<void> close() override {
    if (!writer_) return {};
    return writer_->close().and_then([this] { return make_durable(context_.path); });
  }

 private:
  core::expected<void> open(const core::frame_view& view) {
    auto opened =
        media::mp4_writer::open({context_.path.string(), view.width_px, view.height_px, context_.frames_per_s});
    if (!opened) return tl::unexpected{opened.error()};
    writer_ = std::move(*opened);
    return {};
  }

  sink_context context_;
  std::optional<media::mp4_writer> writer_;
};

} // namespace

core::expected<std::unique_ptr<result_sink>> open_mp4(const sink_context& context) {
  std::error_code failed;
  if (context.path.has_parent_path()) std::filesystem::create_directories(context.path.parent_path(), failed);
  if (failed) return core::fail(core::errc::io, context.path.parent_path().string() + ": " + failed.message());
  return std::make_unique<mp4_sink>(context);
}

} // namespace penstock::actors::sinks
