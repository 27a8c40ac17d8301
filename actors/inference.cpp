#include "actors/inference.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

namespace {

/// Image `i` of a batch as a batch of its own.
struct single_image {
  std::vector<std::int64_t> shape;
  core::const_tensor_view view;

  single_image(const tensor_batch& batch, std::size_t i) {
    const auto slot = batch.slot(i);
    shape.assign(slot.shape.begin(), slot.shape.end());
    view = {slot.data, slot.type, shape};
  }
};

} // namespace

void inference_state::run(const batch_task& task, std::vector<output_task>& outputs,
                          std::vector<core::frame_outcome>& failed) {
  const auto began = core::clock::now();
  const auto add = [&](inference::outputs&& out, std::vector<filled_slot> items) {
    const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(core::clock::now() - began);
    for (auto& item : items) item.times.inference = spent;
    outputs.push_back({std::move(out), std::move(items)});
  };
  const auto n = task.items.size();
  auto whole = config.session->run(task.batch->images(n));
  if (whole) {
    add(std::move(*whole), task.items);
  } else {
    spdlog::error("inference: a batch of {} failed: {}", n, whole.error().message);
    config.batches.failures.add();
    for (std::size_t i = 0; i < n; ++i) {
      const single_image image{*task.batch, i};
      auto alone = n > 1 ? config.session->run(image.view) : std::move(whole);
      if (alone) {
        add(std::move(*alone), {task.items[i]});
        continue;
      }
      failed.push_back(core::dropped_outcome(task.items[i].id, core::drop_reason::engine_error));
    }
  }
  const auto spent = core::seconds{core::clock::now() - began}.count();
  config.metrics.busy.add(spent);
  config.metrics.duration.observe(spent);
  config.metrics.items.add(static_cast<double>(n));
}

inference_actor::behavior_type infer(inference_actor::stateful_pointer<inference_state> self,
                                     const inference_config& config, const batcher_actor& batches,
                                     const postprocess_actor& next, const outcome_inbox& worker) {
  self->state.config = config;
  return {
      [self, batches, next, worker](const batch_task& task) {
        std::vector<output_task> outputs;
        std::vector<core::frame_outcome> failed;
        self->state.run(task, outputs, failed);
        self->send(batches, batch_done{task.instance, task.batch});
        for (auto& output : outputs) {
          self->state.config.next_metrics.queue.add(static_cast<double>(output.items.size()));
          self->send(next, std::move(output));
        }
        if (!failed.empty()) self->send(worker, frame_outcomes{std::move(failed)});
      },
  };
}

} // namespace penstock::actors
