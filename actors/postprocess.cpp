#include "actors/postprocess.hpp"

#include <spdlog/spdlog.h>
#include <utility>

#include "kernels/geometry.hpp"

namespace penstock::actors {

core::frame_outcome postprocess_state::run(const output_task& task, std::size_t item) {
  const auto began = core::clock::now();
  const auto& slot = task.items[item];
  core::frame_outcome outcome;
  outcome.id = slot.id;
  outcome.times = slot.times;
  outcome.width_px = slot.geometry.source_width_px;
  outcome.height_px = slot.geometry.source_height_px;
  if (auto done = config.head->decode(task.outputs, item, slot.geometry, outcome.objects); !done) {
    spdlog::error("postprocess: {}", done.error().message);
    outcome.dropped = core::drop_reason::engine_error;
  }
  outcome.times.postprocess = std::chrono::duration_cast<std::chrono::microseconds>(core::clock::now() - began);
  const auto spent = core::seconds{core::clock::now() - began}.count();
  config.metrics.busy.add(spent);
  config.metrics.duration.observe(spent);
  config.metrics.items.add();
  return outcome;
}

postprocess_actor::behavior_type postprocess(postprocess_actor::stateful_pointer<postprocess_state> self,
                                             const postprocess_config& config, const outcome_inbox& worker) {
  self->state.config = config;
  return {
      [self, worker](const output_task& task) {
        frame_outcomes all;
        for (std::size_t i = 0; i < task.items.size(); ++i) all.outcomes.push_back(self->state.run(task, i));
        self->state.config.metrics.queue.add(-static_cast<double>(task.items.size()));
        self->send(worker, std::move(all));
      },
  };
}

} // namespace penstock::actors
