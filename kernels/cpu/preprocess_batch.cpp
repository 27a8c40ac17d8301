#include "kernels/preprocess_batch.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

namespace penstock::kernels::cpu {

namespace {

/// The plans that were used last, for all threads. Streams keep their sizes, so few are enough.
class plan_cache {
 public:
  core::expected<preprocess_plan> find(const preprocess_spec& spec, const core::frame_view& frame) {
    const auto serves = [&](const preprocess_plan& plan) { return plan.serves(frame) && plan.spec() == spec; };
    {
      const std::lock_guard lock{mutex_};
      const auto found = std::find_if(plans_.begin(), plans_.end(), serves);
      if (found != plans_.end()) {
        std::rotate(plans_.begin(), found, found + 1);
        return plans_.front();
      }
    }
    auto plan = preprocess_plan::make(spec, frame);
    if (!plan) return plan;
    const std::lock_guard lock{mutex_};
    if (plans_.size() == max_plans) plans_.pop_back();
    plans_.insert(plans_.begin(), *plan);
    return plan;
  }

 private:
  static constexpr std::size_t max_plans = 32;
  std::mutex mutex_;
  std::vector<preprocess_plan> plans_;
};

} // namespace

core::expected<void> preprocess(const preprocess_batch& job) {
  static plan_cache plans;
  if (auto ok = check(job); !ok) return ok;
  if (job.slots.memory != core::memory_kind::host)
    return core::fail(core::errc::invalid_argument, "the CPU cannot reach the slots");
  auto slot = job.slots;
  slot.shape = job.slots.shape.subspan(1);
  const auto slot_bytes = slot.size_bytes();
  std::vector<std::byte> workspace;
  for (std::size_t i = 0; i < job.frames.size(); ++i) {
    const auto plan = plans.find(job.spec, job.frames[i]);
    if (!plan) return tl::unexpected{plan.error()};
    workspace.resize(std::max(workspace.size(), plan->workspace_bytes()));
    slot.data = static_cast<std::byte*>(job.slots.data) + (job.first + i) * slot_bytes;
    if (auto done = plan->run(job.frames[i], slot, workspace); !done) return done;
  }
  return {};
}

} // namespace penstock::kernels::cpu
