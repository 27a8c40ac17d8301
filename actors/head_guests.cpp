#include <algorithm>
#include <utility>

#include "actors/head.hpp"

/// The part of the head that takes streams which join and leave while it runs, and those who watch a stream.
namespace penstock::actors {

namespace {

core::expected<std::unique_ptr<result_sink>> hand_over(const sink_context& context) {
  if (!*context.given) return core::fail(core::errc::internal, "the sink was handed over before");
  return std::move(*context.given);
}

/// The sink that a guest brings.
constexpr sink_kind guest_sink{"guest", "what a guest of the head brings", false, hand_over};

} // namespace

head_state::streams::iterator head_state::stream_named(const std::string& id) {
  const auto known = names_.find(id);
  return known == names_.end() ? streams_.end() : streams_.find(known->second);
}

void head_state::on(const guest_ask& message) {
  if (finished_ || stop_deadline_) {
    message.done(core::fail(core::errc::unavailable, "the program is stopping"));
    return;
  }
  if (names_.contains(message.source.id)) {
    message.done(core::fail(core::errc::invalid_argument, "another stream has the id " + message.source.id));
    return;
  }
  const auto& output = message.output;
  const auto id = next_id();
  auto& stream = new_stream(id, message.source, output ? std::string{guests_account_name} : message.source.id);
  stream.guest = stream.report.guest = true;
  stream.output = output;
  if (output) {
    stream.keeps_notes = true;
    stream.report.job = true;
    if (output->from) stream.notes.progress = *output->from;
  }
  message.done({});
  open_waiting();
}

/// In place of the topology's sinks.
void head_state::open_output(core::stream_id id, head_stream& stream) {
  stream.acks = ack_book{1};
  sink_config config;
  config.stream = id;
  config.kind = &guest_sink;
  config.context.stream = stream.source.id;
  config.context.labels = config_.labels;
  config.context.given = std::make_shared<std::unique_ptr<result_sink>>(std::move(stream.output->sink));
  if (stream.notes.progress.begun) config.context.resume_seq = stream.notes.progress.seq;
  config.metrics = config_.metrics->sink(std::string{guest_sink.name});
  stream.sinks.push_back(self_->spawn<caf::detached>(sink, config, sink_outlet{self_}));
  stream.sink_configs.push_back(std::move(config));
  stream.sinks_open = 1;
  if (stream.notes.progress.begun) stream.notes.sinks_unheard = 1;
}

void head_state::on(const guest_leave& message) {
  const auto at = stream_named(message.id);
  if (at == streams_.end()) return message.done(guest_left::unknown);
  auto& [id, stream] = *at;
  if (!stream.guest) return message.done(guest_left::no_guest);
  message.done(guest_left::leaving);
  stream.stop.request_stop();
  if (message.drop && !stream.report.error)
    stream.report.error = core::error{core::errc::cancelled, "it was called off"};
  if (stream.report.phase == stream_phase::waiting) return finish_stream(id, stream);
  if (stream.report.phase != stream_phase::running) return; // its source ends while it is opened
  const auto now = core::clock::now();
  const bool ended = std::exchange(stream.ended, true);
  if (message.drop)
    core_->cancel(id, now, actions_, core::drop_reason::cancelled);
  else if (!ended)
    core_->finish(id, now, actions_);
  carry_out();
}

/// Those that have finished, so that nothing of them is left.
void head_state::forget_guests() {
  std::erase_if(streams_, [this](const auto& each) {
    const auto& stream = each.second;
    if (!stream.guest || stream.report.phase != stream_phase::finished) return false;
    guests_ledger_.add(stream.report.ledger);
    names_.erase(stream.source.id);
    return true;
  });
}

// -- previews ---------------------------------------------------------------------------------------------------------

void head_state::on(const preview_ask& message) {
  const auto at = stream_named(message.id);
  if (at == streams_.end() || at->second.report.phase == stream_phase::finished)
    return message.done(core::fail(core::errc::not_found, "there is no stream " + message.id + ", or it has ended"));
  auto& [id, stream] = *at;
  if (!stream.preview) {
    preview_config config;
    config.stream = id;
    config.screen = std::make_shared<preview_screen>();
    config.decode = config_.decode;
    config.labels = config_.labels;
    config.fps = config_.preview_fps;
    const auto viewer = std::make_shared<preview_viewer>(config.screen); // before anybody could find it dark
    stream.preview.emplace(self_->spawn<caf::detached>(preview, config, preview_outlet{self_}), config.screen);
    return message.done(viewer);
  }
  message.done(std::make_shared<preview_viewer>(stream.preview->screen()));
}

void head_state::on(const preview_taken& message) {
  auto* stream = find_stream(message.stream);
  if (stream != nullptr && stream->preview) stream->preview->taken(message.packets);
}

void head_state::on(const preview_over& message) {
  auto* stream = find_stream(message.stream);
  if (stream == nullptr || !stream->preview || !stream->preview->screen()->dark()) return;
  close_preview(*stream);
}

void head_state::close_preview(head_stream& stream) {
  if (!stream.preview) return;
  stream.preview->screen()->close();
  self_->send_exit(stream.preview->actor(), caf::exit_reason::user_shutdown);
  stream.preview.reset();
}

} // namespace penstock::actors
