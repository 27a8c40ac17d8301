#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "kernels/device.hpp"

namespace penstock::kernels {

namespace {

using clock = std::chrono::steady_clock;

class host_stream final : public stream {
 public:
  [[nodiscard]] void* native() const noexcept override { return nullptr; }
};

class host_event final : public event {
 public:
  void record() {
    const std::lock_guard lock{mutex_};
    at_ = clock::now();
  }

  [[nodiscard]] std::optional<clock::time_point> at() const {
    const std::lock_guard lock{mutex_};
    return at_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<clock::time_point> at_;
};

/// A thread that calls back, in the order of the requests. All requests are answered, also those that are left when it
/// ends; it may end in one of them.
class caller {
 public:
  caller() : shared_{std::make_shared<shared>()}, thread_{[s = shared_] { run(*s); }} {}
  caller(const caller&) = delete;
  caller& operator=(const caller&) = delete;

  ~caller() {
    {
      const std::lock_guard lock{shared_->mutex};
      shared_->stop = true;
    }
    shared_->changed.notify_one();
    if (thread_.get_id() == std::this_thread::get_id())
      thread_.detach();
    else
      thread_.join();
  }

  void call(std::function<void()> done) {
    {
      const std::lock_guard lock{shared_->mutex};
      shared_->waiting.push_back(std::move(done));
    }
    shared_->changed.notify_one();
  }

 private:
  struct shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> waiting;
    bool stop = false;
  };

  static void run(shared& s) {
    std::unique_lock lock{s.mutex};
    while (true) {
      s.changed.wait(lock, [&] { return s.stop || !s.waiting.empty(); });
      if (s.waiting.empty()) return;
      auto done = std::move(s.waiting.front());
      s.waiting.pop_front();
      lock.unlock();
      done();
      done = nullptr; // what it holds goes before the next, and not under the lock
      lock.lock();
    }
  }

  std::shared_ptr<shared> shared_;
  std::thread thread_;
};

class host_device final : public device {
 public:
  host_device() {
    info_.name = "host";
    info_.model = "CPU";
    info_.memory = core::memory_kind::host;
    info_.memory_bytes = pages(_SC_PHYS_PAGES);
  }

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }

  [[nodiscard]] core::expected<std::size_t> free_bytes() const override { return pages(_SC_AVPHYS_PAGES); }

  [[nodiscard]] core::expected<buffer> allocate(std::size_t bytes, core::memory_kind) override {
    constexpr std::size_t alignment = 256;
    const auto rounded = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    void* memory = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
    if (memory == nullptr)
      return core::fail(core::errc::too_large, "host: there are no " + std::to_string(bytes) + " bytes of memory");
    return buffer{std::shared_ptr<void>{memory, std::free}, bytes, core::memory_kind::host};
  }

  [[nodiscard]] core::expected<stream_ptr> make_stream() override { return std::make_unique<host_stream>(); }
  [[nodiscard]] core::expected<event_ptr> make_event() override { return std::make_unique<host_event>(); }

  [[nodiscard]] core::expected<void> record(event& point, stream&) override {
    static_cast<host_event&>(point).record();
    return {};
  }

  // all that was enqueued is done
  [[nodiscard]] core::expected<void> wait(stream&, const event&) override { return {}; }
  [[nodiscard]] core::expected<void> wait_for_default_stream(stream&) override { return {}; }
  [[nodiscard]] core::expected<void> synchronize(stream&) override { return {}; }

  [[nodiscard]] core::expected<void> notify(stream&, std::function<void()> done) override {
    caller_.call(std::move(done));
    return {};
  }

  [[nodiscard]] core::expected<std::chrono::nanoseconds> elapsed(const event& from, const event& to) const override {
    const auto begin = static_cast<const host_event&>(from).at();
    const auto end = static_cast<const host_event&>(to).at();
    if (!begin || !end) return core::fail(core::errc::invalid_argument, "an event that was never recorded");
    return std::chrono::duration_cast<std::chrono::nanoseconds>(*end - *begin);
  }

  [[nodiscard]] core::expected<void> copy(stream&, std::byte* to, const std::byte* from, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return {};
  }

  [[nodiscard]] core::expected<void> preprocess(stream&, const preprocess_batch& job) override {
    return cpu::preprocess(job);
  }
  [[nodiscard]] core::expected<void> decode(stream&, const decode_batch& job) override {
    for (const auto& output : job.outputs)
      if (output.memory != info_.memory)
        return core::fail(core::errc::invalid_argument, "the CPU cannot reach an output");
    return cpu::decode(job);
  }
  [[nodiscard]] core::expected<void> annotate(stream&, const annotate_job& job) override { return cpu::annotate(job); }
  [[nodiscard]] core::expected<void> to_jpeg_planes(stream&, const to_jpeg_planes_job& job) override {
    return cpu::to_jpeg_planes(job);
  }

 private:
  static std::size_t pages(int name) noexcept {
    const auto count = sysconf(name);
    const auto bytes = sysconf(_SC_PAGESIZE);
    return count < 0 || bytes < 0 ? 0 : static_cast<std::size_t>(count) * static_cast<std::size_t>(bytes);
  }

  device_info info_;
  caller caller_;
};

} // namespace

device_ptr make_host_device() { return std::make_shared<host_device>(); }

} // namespace penstock::kernels
