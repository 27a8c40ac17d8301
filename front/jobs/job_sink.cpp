#include "front/jobs/job_sink.hpp"

#include <span>

#include "actors/result_json.hpp"
#include "front/jobs/job_note.hpp"
#include "jobs/blobs.hpp"

namespace penstock::front {

part_writer::part_writer(std::shared_ptr<jobs::job_queue> queue, part_settings settings,
                         std::function<void()> published)
    : queue_{std::move(queue)}, settings_{std::move(settings)}, published_{std::move(published)},
      lines_end_{settings_.next_seq} {
  state_.durable_seq = settings_.next_seq;
}

core::expected<void> part_writer::write(const core::frame_result& result) {
  const std::lock_guard lock{mutex_};
  {
    const std::lock_guard state_lock{state_mutex_};
    if (abandoned_) return {};
    if (state_.error) return tl::unexpected{*state_.error};
  }
  if (result.seq < lines_end_) return {}; // an earlier attempt has it
  if (lines_.empty()) lines_since_ = core::clock::now();
  if (result.name.empty()) {
    actors::append_json(lines_, settings_.id, *settings_.labels, result);
  } else { // of a file of ours
    auto named = result;
    named.name = settings_.name;
    actors::append_json(lines_, settings_.id, *settings_.labels, named);
  }
  lines_end_ = result.seq + 1;
  return {};
}

core::expected<void> part_writer::flush(core::time_point now) {
  std::unique_lock lock{mutex_};
  const bool due = lines_.size() >= settings_.part_bytes || (!lines_.empty() && now - lines_since_ >= settings_.age);
  if (due) return publish(lock);
  const std::lock_guard state_lock{state_mutex_};
  if (state_.error) return tl::unexpected{*state_.error};
  return {};
}

core::expected<void> part_writer::close() {
  std::unique_lock lock{mutex_};
  return publish(lock);
}

core::expected<void> part_writer::publish(std::unique_lock<std::mutex>& lock) {
  std::uint64_t number = 0;
  {
    const std::lock_guard state_lock{state_mutex_};
    if (abandoned_) return {};
    if (state_.error) return tl::unexpected{*state_.error};
    number = state_.parts;
  }
  if (lines_.empty()) return {};
  const auto name = part_of(settings_.id, settings_.epoch, number);
  // One that exists is ours: its first try had no answer.
  const auto made = jobs::put_blob(queue_->blobs(), name, std::as_bytes(std::span{lines_}));
  {
    const std::lock_guard state_lock{state_mutex_};
    if (!made) {
      state_.error = made.error();
    } else {
      state_.durable_seq = lines_end_;
      ++state_.parts;
    }
  }
  lines_.clear();
  lock.unlock();
  if (published_) published_();
  if (!made) return tl::unexpected{made.error()};
  return {};
}

void part_writer::abandon() {
  const std::lock_guard lock{state_mutex_};
  abandoned_ = true;
}

part_writer::state part_writer::seen() const {
  const std::lock_guard lock{state_mutex_};
  return state_;
}

} // namespace penstock::front
