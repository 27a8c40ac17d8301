#include "actors/sink.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

void sink_state::start(const sink_config& with) {
  config = with;
  if (config.kind->needs_frames) frames_.emplace(config.decode);
  if (auto opened = config.kind->open(config.context)) {
    sink_ = std::move(*opened);
    next_seq_ = sink_->next_seq().value_or(config.context.resume_seq.value_or(0));
  } else {
    report(opened.error());
    if (config.context.resume_seq) not_resumed_ = opened.error();
  }
}

sink_resumed sink_state::resumed() const {
  return {config.stream, config.number, next_seq_, sink_ ? sink_->output() : std::filesystem::path{}, not_resumed_};
}

void sink_state::report(const core::error& error) {
  if (!failing_) {
    spdlog::error("stream {}: sink {} ({}): {}", config.context.stream, config.kind->name, config.context.path.string(),
                  error.message);
  }
  failing_ = true;
}

core::expected<void> sink_state::write_one(const core::frame_result& result) {
  if (!sink_) {
    auto opened = config.kind->open(config.context);
    if (!opened) return tl::unexpected{opened.error()};
    sink_ = std::move(*opened);
  }
  if (!frames_) return sink_->write(result, nullptr);
  const auto frame = frames_->find(result.id);
  if (!frame) return tl::unexpected{frame.error()};
  return sink_->write(result, frame->get());
}

std::vector<bool> sink_state::write(const sink_results& group) {
  std::vector<bool> written;
  if (frames_) std::ranges::for_each(group.packets, [this](const auto& packet) { frames_->add(packet); });
  std::size_t known = 0;
  for (const auto& result : group.results) {
    if (result.seq < next_seq_) {
      written.push_back(true);
      ++known;
      continue;
    }
    const auto done = write_one(result);
    if (!done) report(done.error());
    written.push_back(done.has_value());
  }
  if (sink_) {
    if (const auto flushed = sink_->flush(); !flushed) {
      report(flushed.error());
      written.assign(written.size(), false);
    }
  }
  const auto good = static_cast<std::size_t>(std::ranges::count(written, true));
  if (good == written.size() && failing_) {
    spdlog::info("stream {}: sink {} works again", config.context.stream, config.kind->name);
    failing_ = false;
  }
  config.metrics.written.add(static_cast<double>(good - std::min(good, known)));
  config.metrics.failed.add(static_cast<double>(written.size() - good));
  config.metrics.queue.add(-static_cast<double>(written.size()));
  return written;
}

std::optional<core::error> sink_state::close() {
  if (!sink_) return std::nullopt;
  auto closed = sink_->close();
  sink_.reset();
  if (closed) return std::nullopt;
  report(closed.error());
  return closed.error();
}

sink_actor::behavior_type sink(sink_actor::stateful_pointer<sink_state> self, const sink_config& config,
                               const sink_outlet& head) {
  self->state.start(config);
  if (config.context.resume_seq) self->send(head, self->state.resumed());
  return {
      [self, head](const sink_results& group) {
        auto written = self->state.write(group);
        self->send(head, sink_ack{self->state.config.stream, self->state.config.number, std::move(written)});
      },
      [self, head](const sink_close&) {
        self->send(head, sink_closed{self->state.config.stream, self->state.config.number, self->state.close()});
        self->quit();
      },
  };
}

} // namespace penstock::actors
