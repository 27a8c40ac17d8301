#include "actors/remote_stage.hpp"

#include <spdlog/spdlog.h>
#include <utility>

#include "actors/stage_items.hpp"

namespace penstock::actors {

core::expected<stage_item> remote_stage_state::pack(const frame_task& task) const {
  if (!config.jpeg_quality) return raw_item(task);
  const auto began = core::clock::now();
  auto item = jpeg_item(task, *config.jpeg_quality);
  config.metrics.busy.add(core::seconds{core::clock::now() - began}.count());
  return item;
}

remote_stage_actor::behavior_type remote_stage(remote_stage_actor::stateful_pointer<remote_stage_state> self,
                                               const remote_stage_config& config, const stage_link_actor& link,
                                               const outcome_inbox& worker) {
  self->state.config = config;
  return {
      [self, link, worker](const frame_task& task) {
        if (auto item = self->state.pack(task)) {
          self->send(link, std::move(*item));
          return;
        } else {
          spdlog::warn("a frame for the link: {}", item.error().message);
        }
        self->send(worker, frame_outcomes{{core::dropped_outcome(task.id, core::drop_reason::unsupported)}});
      },
      [self, link](const filled_slot& slot) { self->send(link, tensor_item(slot, self->state.config.ring)); },
  };
}

} // namespace penstock::actors
