#include "actors/checkpoint_writer.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

checkpoint_writer::checkpoint_writer(checkpoint_folder folder, checkpoint_document document)
    : folder_{std::move(folder)}, document_{std::move(document)}, thread_{[this] { run(); }} {}

checkpoint_writer::~checkpoint_writer() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void checkpoint_writer::put(std::vector<stream_progress> progress) {
  {
    const std::lock_guard lock{mutex_};
    next_ = std::move(progress);
  }
  changed_.notify_all();
}

core::expected<void> checkpoint_writer::flush() {
  std::unique_lock lock{mutex_};
  hurry_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !next_ && !writing_; });
  hurry_ = false;
  return last_;
}

void checkpoint_writer::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return next_ || stop_; });
    if (!next_) return;
    auto progress = *std::exchange(next_, std::nullopt);
    for (std::size_t i = 0; i < progress.size(); ++i) document_.streams.at(i).progress = progress[i];
    writing_ = true;
    lock.unlock();
    auto written = folder_.write(document_);
    lock.lock();
    writing_ = false;
    if (!written && last_) spdlog::error("checkpoint: {}", written.error().message);
    if (written && !last_) spdlog::info("checkpoint: works again");
    last_ = std::move(written);
    changed_.notify_all();
    changed_.wait_for(lock, interval, [this] { return hurry_ || stop_; });
  }
}

} // namespace penstock::actors
