#include "front/jobs/job_view.hpp"

#include <optional>
#include <span>

#include "core/result.hpp"
#include "front/jobs/job_note.hpp"
#include "media/picture_header.hpp"

namespace penstock::front {

namespace {

gateway::job_state state_of(jobs::job_state state) {
  switch (state) {
  case jobs::job_state::queued: return gateway::job_state::queued;
  case jobs::job_state::running: return gateway::job_state::running;
  case jobs::job_state::done: return gateway::job_state::done;
  case jobs::job_state::dead: return gateway::job_state::dead;
  case jobs::job_state::cancelled: return gateway::job_state::cancelled;
  }
  return gateway::job_state::failed;
}

} // namespace

gateway::job_view view_of(const jobs::job& record) {
  gateway::job_view view;
  view.id = record.id;
  view.state = state_of(record.state);
  view.name = record.name;
  view.content_type = record.content_type;
  view.uri = record.input_uri;
  if (!record.input_blob.empty() && record.input_blob != jobs::input_name(record.id))
    view.uri = std::string{blob_scheme} + record.input_blob;
  view.size_bytes = record.input_bytes;
  view.created = record.created;
  if (jobs::is_final(record.state)) view.finished = record.updated;
  view.frames_done = record.frames.done;
  view.frames_total = record.frames.total;
  view.attempts = record.attempts;
  view.max_attempts = record.max_attempts;
  if (record.held) view.worker = record.held->worker;
  view.error = record.error;
  const auto note = parse_job_note(record.checkpoint);
  if (!note) return view;
  for (const auto reason : core::all_drop_reasons) {
    const auto count = note->dropped[static_cast<std::size_t>(reason)];
    if (count > 0) view.dropped.emplace(core::to_string(reason), count);
  }
  const bool measured = record.state == jobs::job_state::running && note->frames_per_s > 0;
  if (measured && view.frames_total && *view.frames_total >= view.frames_done)
    view.eta = core::seconds{static_cast<double>(*view.frames_total - view.frames_done) / note->frames_per_s};
  return view;
}

std::string_view picture_type(std::string_view first_bytes) noexcept {
  const auto codec = media::picture_codec(std::as_bytes(std::span{first_bytes}));
  if (codec == "mjpeg") return "image/jpeg";
  if (codec == "png") return "image/png";
  if (codec == "webp") return "image/webp";
  if (codec == "bmp") return "image/bmp";
  return {};
}

} // namespace penstock::front
