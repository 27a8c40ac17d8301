#include <utility>

#include "actors/head.hpp"

/// The part of the head that takes pictures for which somebody waits. Each is a stream of one packet, of the class
/// `request`, and leaves nothing behind.
namespace penstock::actors {

namespace {

core::error failure_of(core::drop_reason reason) {
  using core::drop_reason;
  using core::errc;
  switch (reason) {
  case drop_reason::corrupt: return {errc::corrupt, "the picture cannot be decoded"};
  case drop_reason::too_large: return {errc::too_large, "the picture is larger than media.max_pixels allows"};
  case drop_reason::unsupported: return {errc::unsupported, "nothing here decodes this kind of picture"};
  case drop_reason::deadline: return {errc::timeout, "its deadline passed"};
  case drop_reason::cancelled: return {errc::cancelled, "nobody waits for it any more"};
  case drop_reason::shutdown: return {errc::unavailable, "the program is stopping"};
  case drop_reason::poison: return {errc::internal, "all workers that tried the picture failed"};
  default: return {errc::internal, "the picture was dropped: " + std::string{core::to_string(reason)}};
  }
}

} // namespace

void head_state::on(const picture_ask& message) {
  if (finished_ || stop_deadline_) {
    message.done(core::fail(core::errc::unavailable, "the program is stopping"));
    return;
  }
  const auto id = next_id();
  pictures_.emplace(id.value, picture_request{message, std::nullopt});
  picture_ids_.emplace(message.ticket, id);
  pictures_ledger_.received();
  ++demand_.counts.arrived;

  dispatch::stream_config config;
  config.limits.policy = dispatch::stream_policy::request;
  config.limits.deadline = message.deadline;
  config.codec = message.codec;
  const auto now = core::clock::now();
  core_->add_stream(id, config, now, actions_);
  core_->push(id, message.packet, now, actions_);
  core_->finish(id, now, actions_);
  carry_out();
}

void head_state::on(const picture_gone& message) {
  const auto at = picture_ids_.find(message.ticket);
  if (at == picture_ids_.end()) return; // it has been answered
  const auto id = at->second;
  const auto now = core::clock::now();
  const bool late = now >= pictures_.at(id.value).ask.deadline;
  core_->cancel(id, now, actions_, late ? core::drop_reason::deadline : core::drop_reason::cancelled);
  carry_out();
}

/// True where the result is that of a picture.
bool head_state::emit_picture(dispatch::emit& action) {
  const auto id = action.result.id.segment.stream;
  const auto at = pictures_.find(id.value);
  if (at == pictures_.end()) return false;
  at->second.result = std::move(action.result);
  core_->acknowledged(id, 1, 0, core::clock::now(), actions_);
  return true;
}

/// Its stream is finished.
void head_state::answer_picture(core::stream_id id) {
  auto node = pictures_.extract(id.value);
  auto& request = node.mapped();
  picture_ids_.erase(request.ask.ticket);
  const auto ledger = core_->collecting().ledger_of(id);
  core_->remove_stream(id);
  pictures_ledger_.settled(ledger);
  if (ledger.delivered == 1 && request.result) {
    const core::seconds took{core::clock::now() - request.result->captured};
    pictures_ledger_.series().latency.observe(took.count());
    pictures_ledger_.series().objects.add(static_cast<double>(request.result->objects.size()));
    request.ask.done(std::move(*request.result));
    // Whoever asked may have been told at the deadline that there is no answer, as long as this was not done before it.
    if (core::clock::now() >= request.ask.deadline)
      ++demand_.counts.late;
    else
      note_fate(took);
  } else {
    auto why = core::drop_reason::shutdown;
    for (const auto reason : core::all_drop_reasons)
      if (ledger.dropped_for(reason) > 0) why = reason;
    if (why == core::drop_reason::deadline) ++demand_.counts.late;
    request.ask.done(tl::unexpected{failure_of(why)});
  }
  if (stop_deadline_) finish_if_done();
}

} // namespace penstock::actors
