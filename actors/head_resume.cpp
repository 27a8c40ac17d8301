#include <algorithm>
#include <iterator>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/head.hpp"
#include "actors/resume.hpp"

/// The part of the head that goes on where an earlier life ended, and notes for the next one how far it is.
namespace penstock::actors {

/// The stream's packets may come.
void head_state::begin(core::stream_id id, head_stream& stream) {
  auto& notes = stream.notes;
  auto config = core_config(stream, stream.codec);
  if (auto& progress = notes.progress; progress.begun) {
    notes.sinks_wrote = true;
    const auto has = notes.sinks_next.value_or(progress.seq);
    if (has < progress.emitted_before) {
      spdlog::warn(
          "stream {}: its results end before frame {}, less than was noted as written; reading all of it again",
          stream.source.id, has);
      progress = {};
      progress.emitted_before = has;
    }
    config.resume = dispatch::resume_point{progress.segment, progress.seq, progress.packets, has};
    stream.report.resumed_at = progress.seq;
    stream.report.frames -= std::min(stream.report.frames, progress.seq);
    spdlog::info("stream {}: resumed at frame {}", stream.source.id, progress.seq);
  }
  if (stream.keeps_notes) {
    notes.progress.begun = true;
    checkpoint_changed_ = true;
  }
  stream.report.phase = stream_phase::running;
  if (config_.observer.stream) config_.observer.stream(stream.report);
  core_->add_stream(id, config, core::clock::now(), actions_);
}

void head_state::on(const sink_resumed& message) {
  auto* known = find_stream(message.stream);
  if (known == nullptr) return;
  auto& stream = *known;
  auto& notes = stream.notes;
  if (const auto really = message.output.string(); !really.empty()) {
    auto& output = stream.report.outputs.at(message.sink);
    if (output != really)
      spdlog::info("stream {}: {} cannot be continued; what follows is in {}", stream.source.id, output, really);
    output = really;
  }
  if (message.error && !stream.report.error) stream.report.error = message.error;
  notes.sinks_next = std::min(notes.sinks_next.value_or(message.next_seq), message.next_seq);
  if (notes.sinks_unheard == 0 || --notes.sinks_unheard > 0 || stream.report.phase != stream_phase::opening) return;
  if (stop_deadline_ || stream.report.error) {
    begin_closing(message.stream, stream);
    return;
  }
  begin(message.stream, stream);
  carry_out();
}

void head_state::apply(dispatch::checkpoint& action) {
  auto* stream = find_stream(action.stream);
  if (stream == nullptr || !stream->keeps_notes) return;
  auto& notes = stream->notes;
  auto& progress = notes.progress;
  progress.segment = action.segment;
  progress.seq = action.seq;
  progress.packets = action.packets;
  const auto end = notes.emitted.lower_bound(action.segment);
  if (end != notes.emitted.begin()) {
    progress.emitted_before = std::max(progress.emitted_before, std::prev(end)->second);
    notes.emitted.erase(notes.emitted.begin(), end);
  }
  if (notes.sinks_next) // what they had already was not emitted again
    progress.emitted_before = std::max(progress.emitted_before, std::min(*notes.sinks_next, action.seq));
  if (stream->output)
    stream->output->progressed({progress, core_->collecting().ledger_of(action.stream), stream->report.frames});
  else
    checkpoint_changed_ = true;
}

void head_state::apply(dispatch::source_changed& action) {
  auto& stream = stream_of(action.stream);
  stream.report.error =
      core::error{core::errc::corrupt, "its source is not the one that was read before; --fresh begins anew"};
  spdlog::error("stream {}: {}", stream.source.id, stream.report.error->message);
  stream.ended = true;
  stream.stop.request_stop();
  core_->cancel(action.stream, core::clock::now(), actions_);
}

/// Whether a result must not reach the sinks. The next life goes on behind the last one they have, so there must be no
/// gap before it, and it must have the number that it would have if the source had not been stopped, or failed.
bool head_state::left_to_next_life(core::stream_id id, const head_stream& stream) const {
  if (!stream.keeps_notes || !stream.notes.progress.begun) return false;
  return (stream.ended && !stream.notes.source_done) ||
         (stop_deadline_ && core_->collecting().ledger_of(id).dropped_for(core::drop_reason::shutdown) > 0);
}

/// A stream has ended: whether the next life has anything to do for it.
void head_state::note_finished(head_stream& stream) {
  auto& notes = stream.notes;
  const bool complete = notes.source_done && stream.sinks_open == 0 && !stream.report.error &&
                        stream.report.ledger.dropped_for(core::drop_reason::shutdown) == 0;
  if (!complete || !notes.progress.begun) return;
  notes.progress.finished = notes.sinks_wrote = true;
  checkpoint_changed_ = true;
}

void head_state::save_checkpoint() {
  if (!config_.checkpoint) return;
  if (std::exchange(checkpoint_changed_, false)) {
    std::vector<stream_progress> progress;
    for (std::size_t i = 0; i < config_.progress.size(); ++i) {
      const auto& notes = stream_of({static_cast<std::uint32_t>(i)}).notes;
      auto& noted = progress.emplace_back(notes.progress);
      // Until then what sinks find is of an earlier run; a life that ends before only has to begin anew.
      noted.begun = noted.begun && notes.sinks_wrote;
    }
    config_.checkpoint->put(std::move(progress));
  }
  if (!finished_) return;
  if (const auto written = config_.checkpoint->flush(); !written) failure_ = "checkpoint: " + written.error().message;
}

} // namespace penstock::actors
