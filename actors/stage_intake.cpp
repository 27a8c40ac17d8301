#include "actors/stage_intake.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

namespace {

core::frame_outcome unusable(const core::result_id& id, const core::error& why) {
  spdlog::warn("an item from the link: {}", why.message);
  switch (why.code) {
  case core::errc::corrupt: return core::dropped_outcome(id, core::drop_reason::corrupt);
  case core::errc::too_large: return core::dropped_outcome(id, core::drop_reason::too_large);
  default: return core::dropped_outcome(id, core::drop_reason::unsupported);
  }
}

} // namespace

stage_intake_actor::behavior_type frame_intake(stage_intake_actor::stateful_pointer<frame_intake_state> self,
                                               const media::decode_options& decode,
                                               const metrics::stage_series& arriving, const preprocess_actor& next,
                                               const outcome_inbox& gate) {
  self->state.reader = item_reader{decode};
  return {
      [self, arriving, next, gate](const stage_task& task) {
        auto frame = self->state.reader.frame(task);
        if (!frame) return self->send(gate, frame_outcomes{{unusable(task.id, frame.error())}});
        arriving.queue.add(1);
        self->send(next, std::move(*frame));
      },
  };
}

stage_intake_actor::behavior_type tensor_intake(stage_intake_actor::pointer self, const tensor_intake_config& config,
                                                const slot_taker& next, const outcome_inbox& gate) {
  return {
      [self, config, next, gate](const stage_task& task) {
        const auto item = item_reader::tensor(task, config.shape, config.type);
        if (!item) return self->send(gate, frame_outcomes{{unusable(task.id, item.error())}});
        filled_slot filled{config.ring->acquire(), task.id,       geometry_of(**item),
                           (*item)->times,         (*item)->live, task.credit};
        copy_image(**item, filled.slot.batch->slot(filled.slot.index));
        self->send(next, std::move(filled));
      },
  };
}

} // namespace penstock::actors
