#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "actors/messages.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Collects filled slots of any streams into batches and gives them to idle instances of the model.
using batcher_actor =
    caf::typed_actor<caf::reacts_to<filled_slot>, caf::reacts_to<batch_done>, caf::reacts_to<batch_timer>>;

/// Runs batches on the model; as many actors as the model has instances.
using inference_actor = caf::typed_actor<caf::reacts_to<batch_task>>;

struct batcher_config {
  std::chrono::microseconds wait{4000}; ///< how long the first image of a batch waits for others
  std::shared_ptr<tensor_ring> ring;
  metrics::stage_series metrics;
  metrics::inference_series batches;
};

/// The batcher without its actor: slots, idle instances and a time in, batches out. At most as many batches as there
/// are instances are running or sealed before they are full, which is what `tensor_ring` relies on.
class batch_former {
 public:
  batch_former() = default;
  batch_former(batcher_config config, std::size_t instances);

  void add(const filled_slot& slot, core::time_point now);
  void done(const batch_done& message);

  /// The next batch that shall run now; call until empty.
  [[nodiscard]] std::optional<batch_task> next(core::time_point now);

  /// When `next` should be asked again though nothing happened; empty when there is no need.
  [[nodiscard]] std::optional<core::time_point> deadline() const;

 private:
  struct filling {
    tensor_batch_ptr batch;
    std::vector<filled_slot> items;
    std::size_t expected = 0; ///< slots handed out; the capacity unless it was sealed early
    bool sealed_early = false;
    core::time_point since;
  };

  batch_task start(std::deque<filling>::iterator at);

  batcher_config config_;
  std::deque<filling> filling_; ///< oldest first
  std::vector<std::uint32_t> idle_;
  std::size_t reserved_ = 0; ///< idle instances that wait for a batch sealed early, whose last slots are being written
};

struct batcher_state {
  static inline const char* name = "batcher";

  batch_former former;
  std::vector<inference_actor> instances;
  std::uint64_t timer_generation = 0;
};

/// `instances` are spawned by the batcher itself, by `make_instance(batcher, index)`, and end with it.
using instance_factory = std::function<inference_actor(const batcher_actor&, std::uint32_t)>;

batcher_actor::behavior_type batcher(batcher_actor::stateful_pointer<batcher_state> self, const batcher_config& config,
                                     std::size_t instances, const instance_factory& make_instance);

} // namespace penstock::actors
