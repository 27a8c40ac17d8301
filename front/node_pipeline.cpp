#include "front/node_pipeline.hpp"

#include <utility>

namespace penstock::front {

void node_pipeline::start(job_run run) {
  actors::guest_ask ask;
  ask.source.id = run.input.stream_id;
  ask.source.uri = run.input.uri;
  ask.source.kind = run.input.picture ? topology::source_kind::pictures : topology::source_kind::video;
  ask.source.finite = true;
  ask.source.policy = topology::stream_policy::lossless;
  ask.source.sample_fps = run.input.sample_fps;
  ask.output = std::make_shared<actors::guest_output>();
  ask.output->sink = std::move(run.sink);
  ask.output->from = run.from;
  ask.output->progressed = [progressed = std::move(run.progressed)](const actors::guest_step& step) {
    progressed({step.progress, step.ledger, step.frames});
  };
  // Shared by the two ways in which it can end.
  const auto ended = std::make_shared<std::function<void(job_end)>>(std::move(run.ended));
  ask.output->ended = [ended](const actors::guest_end& end) { (*ended)({end.ledger, end.error}); };
  ask.done = [ended](const core::expected<void>& taken) {
    if (!taken) (*ended)({{}, taken.error()});
  };
  node_.add_guest(std::move(ask));
}

void node_pipeline::cancel(const std::string& stream_id) {
  node_.remove_guest({stream_id, true, [](actors::guest_left) {}});
}

void node_pipeline::expect(std::uint64_t jobs) { node_.tell_jobs_waiting(jobs); }

} // namespace penstock::front
