#include "gateway/event_hub.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "gateway/policy/event_queue.hpp"

namespace penstock::gateway {

namespace {

class queued_reader final : public event_hub::reader {
 public:
  queued_reader(policy::event_filter filter, std::size_t bound) : queue_{std::move(filter), bound} {}

  /// Whether an event was lost for it.
  bool push(const std::shared_ptr<const event>& e) {
    std::function<void(batch)> to;
    batch what;
    bool lost = false;
    {
      const std::lock_guard lock{mutex_};
      if (!queue_.push(e, &lost) || !asked_) return lost;
      to = std::exchange(asked_, {});
      what = take();
    }
    to(std::move(what));
    return lost;
  }

  void next(std::size_t most, std::function<void(batch)> done) override {
    batch what;
    {
      const std::lock_guard lock{mutex_};
      most_ = most;
      if (queue_.empty()) {
        asked_ = std::move(done);
        return;
      }
      what = take();
    }
    done(std::move(what));
  }

 private:
  batch take() {
    batch b;
    b.lost = queue_.take_lost();
    while (b.events.size() < most_) {
      auto e = queue_.pop();
      if (!e) break;
      b.events.push_back(std::move(e));
    }
    return b;
  }

  std::mutex mutex_;
  policy::event_queue queue_;
  std::size_t most_ = 1;
  std::function<void(batch)> asked_;
};

} // namespace

struct event_hub::impl {
  std::mutex mutex; ///< guards `readers`
  std::vector<std::weak_ptr<queued_reader>> readers;
  std::atomic<std::size_t> count{0};
  std::atomic<std::uint64_t> lost{0};

  std::vector<std::shared_ptr<queued_reader>> present() {
    std::vector<std::shared_ptr<queued_reader>> all;
    const std::lock_guard lock{mutex};
    std::erase_if(readers, [&](const auto& weak) {
      auto r = weak.lock();
      if (!r) return true;
      all.push_back(std::move(r));
      return false;
    });
    count = readers.size();
    return all;
  }
};

event_hub::event_hub() : impl_{std::make_shared<impl>()} {}
event_hub::~event_hub() = default;

bool event_hub::wanted() const noexcept { return impl_->count > 0; }

void event_hub::publish(event e) {
  if (!wanted()) return;
  const auto shared = std::make_shared<const event>(std::move(e));
  // Readers are called without the lock, for they may do anything, unsubscribe for example.
  for (const auto& r : impl_->present()) {
    if (r->push(shared)) ++impl_->lost;
  }
}

std::shared_ptr<event_hub::reader> event_hub::subscribe(policy::event_filter filter, std::size_t queue) {
  auto r = std::make_shared<queued_reader>(std::move(filter), queue);
  const std::lock_guard lock{impl_->mutex};
  impl_->readers.push_back(r);
  impl_->count = impl_->readers.size();
  return r;
}

std::uint64_t event_hub::lost() const noexcept { return impl_->lost; }

} // namespace penstock::gateway
