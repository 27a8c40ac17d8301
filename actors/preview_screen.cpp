#include "actors/preview_screen.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace penstock::actors {

preview_viewer::preview_viewer(std::shared_ptr<preview_screen> screen) : screen_{std::move(screen)} {
  const std::lock_guard lock{screen_->mutex_};
  ++screen_->viewers_;
}

preview_viewer::~preview_viewer() {
  std::vector<preview_screen::waiter> forgotten; // ends behind the lock: it may hold anything
  const std::lock_guard lock{screen_->mutex_};
  --screen_->viewers_;
  auto& waiting = screen_->waiting_;
  const auto mine = std::ranges::partition(waiting, [this](const auto& w) { return w.viewer != this; });
  std::ranges::move(mine, std::back_inserter(forgotten));
  waiting.erase(mine.begin(), mine.end());
}

void preview_viewer::next(std::function<void(core::expected<jpeg_ptr>)> done) {
  jpeg_ptr newest;
  {
    const std::lock_guard lock{screen_->mutex_};
    if (screen_->number_ > seen_) {
      newest = screen_->latest_;
      seen_ = screen_->number_;
    } else if (!screen_->closed_) {
      screen_->waiting_.push_back({this, std::move(done)});
      return;
    }
  }
  if (newest)
    done(std::move(newest));
  else
    done(core::fail(core::errc::unavailable, "the stream has ended"));
}

bool preview_screen::wanted() const {
  const std::lock_guard lock{mutex_};
  return !waiting_.empty();
}

bool preview_screen::dark() const {
  const std::lock_guard lock{mutex_};
  return viewers_ == 0;
}

void preview_screen::show(std::string jpeg) {
  std::vector<waiter> takers;
  auto newest = std::make_shared<const std::string>(std::move(jpeg));
  {
    const std::lock_guard lock{mutex_};
    latest_ = newest;
    ++number_;
    takers = std::exchange(waiting_, {});
    for (const auto& each : takers) each.viewer->seen_ = number_;
  }
  for (const auto& each : takers) each.done(newest);
}

void preview_screen::close() {
  std::vector<waiter> takers;
  {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    takers = std::exchange(waiting_, {});
  }
  for (const auto& each : takers) each.done(core::fail(core::errc::unavailable, "the stream has ended"));
}

} // namespace penstock::actors
