#include "front/jobs/job_runner.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "front/jobs/attempt.hpp"

namespace penstock::front {

job_runner::job_runner(std::shared_ptr<jobs::job_queue> queue, pipeline& work, std::shared_ptr<job_board> board,
                       metrics::registry& metrics, job_runner_options options)
    : queue_{std::move(queue)}, pipeline_{work}, board_{std::move(board)}, metrics_{metrics}, series_{metrics.jobs()},
      options_{std::move(options)}, spool_{options_.spool, options_.spool_bytes} {
  listener_ = board_->listen([this](const std::string& id, job_news what) { heard(id, what); });
  for (int i = 0; i < options_.concurrent; ++i) threads_.emplace_back([this] { serve(); });
  if (options_.reconcile_every.count() > 0) threads_.emplace_back([this] { reconcile(); });
}

job_runner::~job_runner() { stop(); }

void job_runner::drain() {
  const std::lock_guard lock{mutex_};
  draining_ = true;
  changed_.notify_all();
}

void job_runner::stop() {
  {
    const std::lock_guard lock{mutex_};
    draining_ = true;
    if (!stop_by_) stop_by_ = core::clock::now() + options_.stop_grace;
    for (auto* each : attempts_) each->stop(*stop_by_);
    changed_.notify_all();
  }
  for (auto& each : threads_) {
    if (each.joinable()) each.join();
  }
  board_->leave(std::exchange(listener_, 0));
}

std::size_t job_runner::running() const {
  const std::lock_guard lock{mutex_};
  return attempts_.size();
}

void job_runner::heard(const std::string& id, job_news what) {
  const std::lock_guard lock{mutex_};
  if (what == job_news::waits) {
    ++calls_;
    changed_.notify_all();
  }
  if (what != job_news::cancelled) return;
  for (auto* each : attempts_) {
    if (each->id() == id) each->look();
  }
}

/// False: no more work is taken.
bool job_runner::wait_for_work(std::uint64_t seen) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, options_.idle, [&] { return draining_ || calls_ != seen; });
  return !draining_;
}

/// One of the threads that work on jobs.
void job_runner::serve() {
  while (true) {
    std::uint64_t seen = 0;
    {
      const std::lock_guard lock{mutex_};
      if (draining_) return;
      seen = calls_;
    }
    auto held = queue_->lease(options_.worker, options_.lease);
    {
      const std::lock_guard lock{mutex_};
      if (!held && !std::exchange(failing_, true))
        spdlog::error("jobs: the queue cannot be asked for work: {}", held.error().message);
      if (held && std::exchange(failing_, false)) spdlog::info("jobs: the queue can be asked for work again");
    }
    if (held && *held)
      work_on(std::move(**held));
    else if (!wait_for_work(seen))
      return;
  }
}

void job_runner::work_on(jobs::claim held) {
  const attempt_context with{queue_, pipeline_, *board_, spool_, options_};
  attempt current{with, std::move(held)};
  bool is_late = false; // it was taken just as draining began
  {
    const std::lock_guard lock{mutex_};
    is_late = draining_;
    if (!is_late) attempts_.push_back(&current);
  }
  series_.running.add(1);
  const auto end = is_late ? current.give_back() : current.work();
  series_.running.add(-1);
  {
    const std::lock_guard lock{mutex_};
    std::erase(attempts_, &current);
  }
  const auto& record = current.record();
  switch (end) {
  case attempt_end::done:
    series_.done.add();
    series_.duration.observe(std::max(0.0, core::seconds{record.updated - record.created}.count()));
    break;
  case attempt_end::failed: series_.failed.add(); break;
  case attempt_end::cancelled: series_.cancelled.add(); break;
  case attempt_end::given_back: series_.given_back.add(); break;
  case attempt_end::lost: series_.lost.add(); break;
  }
  if (!current.dead_of().empty()) metrics_.jobs_dead(current.dead_of()).add();
  board_->tell(current.id(), job_news::moved);
}

void job_runner::reconcile() {
  bool failing = false;
  std::unique_lock lock{mutex_};
  do {
    lock.unlock();
    const auto report = queue_->reconcile();
    const auto error = report ? report->first_error : std::optional{report.error()};
    if (error && !failing) spdlog::error("jobs: looking them over: {}", error->message);
    failing = error.has_value();
    if (report) {
      series_.queued.set(static_cast<double>(report->queued));
      pipeline_.expect(report->queued);
      series_.expired.add(static_cast<double>(report->lost));
      if (report->buried > 0) metrics_.jobs_dead("lost").add(static_cast<double>(report->buried));
      if (report->told > 0) {
        const std::lock_guard again{mutex_};
        ++calls_;
        changed_.notify_all();
      }
    }
    lock.lock();
  } while (!changed_.wait_for(lock, options_.reconcile_every, [this] { return stop_by_.has_value(); }));
}

} // namespace penstock::front
