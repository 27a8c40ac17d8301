#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "actors/busy_decoders.hpp"
#include "actors/messages.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Collects filled slots of any streams into batches and gives them to idle instances of the model.
using batcher_actor = caf::typed_actor<caf::reacts_to<filled_slot>, caf::reacts_to<batch_done>,
                                       caf::reacts_to<batch_timer>, caf::reacts_to<batch_again>>;

/// Runs batches on the model; as many actors as the model has instances.
using inference_actor = caf::typed_actor<caf::reacts_to<batch_task>>;

/// What the batcher looks at to let lossless images gather while every core decodes: the engine then runs many times in
/// a row with its code and data in the caches, and so does decode. Live images never wait for that.
struct burst_config {
  std::size_t cores = 1;
  std::shared_ptr<const busy_decoders> decoders; ///< null: no gathering
  std::shared_ptr<const credit_pool> credits;
  std::chrono::milliseconds longest{250}; ///< an image waits at most so long

  /// Whether decoders keep all cores busy, and can go on.
  [[nodiscard]] bool cores_are_decoding() const {
    return decoders && decoders->count() >= cores && credits->available() > 0;
  }
};

struct batcher_config {
  std::chrono::microseconds wait{4000}; ///< how long the first image of a batch waits for others
  std::shared_ptr<tensor_ring> ring;
  metrics::stage_series metrics;
  metrics::inference_series batches;
  burst_config burst;
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

  /// Whether what is there should rather gather for now; then ask again soon, after others had their turn.
  [[nodiscard]] bool gathering(core::time_point now) const;

  /// When `next` should be asked again though nothing happened; empty when there is no need.
  [[nodiscard]] std::optional<core::time_point> deadline() const;

 private:
  struct filling {
    tensor_batch_ptr batch;
    std::vector<filled_slot> items;
    std::size_t expected = 0; ///< slots handed out; the capacity unless it was sealed early
    bool sealed_early = false;
    bool live = false; ///< one of the items is
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
  bool asking_again = false; ///< a batch_again is on its way
};

/// `instances` are spawned by the batcher itself, by `make_instance(batcher, index)`, and end with it.
using instance_factory = std::function<inference_actor(const batcher_actor&, std::uint32_t)>;

batcher_actor::behavior_type batcher(batcher_actor::stateful_pointer<batcher_state> self, const batcher_config& config,
                                     std::size_t instances, const instance_factory& make_instance);

} // namespace penstock::actors
