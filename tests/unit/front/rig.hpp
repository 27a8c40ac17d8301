#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>

#include "front/jobs/job_runner.hpp"
#include "front/jobs/jobs_door.hpp"
#include "jobs/stores.hpp"
#include "tests/catch.hpp"
#include "tests/take.hpp"
#include "tests/unit/front/fake_pipeline.hpp"

namespace penstock::test {

using namespace std::chrono_literals;

/// A temporary folder, removed at the end; in memory where the machine has such a place, since what is tested here is
/// no disk.
class folder {
 public:
  folder() {
    const std::filesystem::path memory{"/dev/shm"};
    const auto in = ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    auto pattern = (in / "penstock-front-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
    root_ = pattern;
  }
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  [[nodiscard]] std::filesystem::path path(std::string_view name = "") const { return root_ / name; }

 private:
  std::filesystem::path root_;
};

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

/// Whether it becomes true within ten seconds.
inline bool soon(const std::function<bool()>& what, std::chrono::seconds at_most = 10s) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (!what()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

/// Blobs of another store, of which a test can make what it likes.
class watched_blobs final : public jobs::blobs {
 public:
  explicit watched_blobs(std::shared_ptr<jobs::blobs> real) : real_{std::move(real)} {}

  core::expected<std::unique_ptr<jobs::blob_writer>> create(std::string_view name) override {
    if (on_create) {
      if (auto refused = on_create(std::string{name})) return tl::unexpected{*refused};
    }
    return real_->create(name);
  }
  core::expected<std::unique_ptr<jobs::blob_reader>> open(std::string_view name, std::uint64_t offset,
                                                          std::optional<std::uint64_t> length) override {
    return real_->open(name, offset, length);
  }
  core::expected<std::optional<jobs::blob_info>> stat(std::string_view name) override { return real_->stat(name); }
  std::optional<std::filesystem::path> local_path(std::string_view name) const override {
    return is_remote ? std::nullopt : real_->local_path(name);
  }
  core::expected<bool> remove(std::string_view name) override { return real_->remove(name); }
  core::expected<jobs::blob_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    return real_->list(prefix, after, limit);
  }
  core::expected<std::uint64_t> sweep_unpublished(jobs::wall_time before) override {
    return real_->sweep_unpublished(before);
  }

  std::function<std::optional<core::error>(const std::string& name)> on_create; ///< set before others use it
  bool is_remote = false;                                                       ///< has no files on this machine

 private:
  std::shared_ptr<jobs::blobs> real_;
};

inline topology::jobs_config stores_in(const std::filesystem::path& root) {
  topology::jobs_config out;
  out.queue.path = root / "jobs.db";
  out.blobs.path = root / "blobs";
  return out;
}

inline jobs::job_rules quick_rules() {
  jobs::job_rules rules;
  rules.max_attempts = 3;
  rules.first_backoff = 5ms;
  rules.longest_backoff = 20ms;
  rules.rehint_after = 300ms;
  return rules;
}

inline front::job_runner_options quick_runner(std::string worker = "w") {
  front::job_runner_options out;
  out.worker = std::move(worker);
  out.idle = 10ms;
  out.reconcile_every = 50ms;
  out.stop_grace = 5s;
  out.part_bytes = 1000;
  out.part_age = 20ms;
  return out;
}

/// Stores, a queue over them, and a board.
struct rig {
  explicit rig(jobs::job_rules with = quick_rules(), jobs::wall_clock clock = jobs::system_clock()) : rules{with} {
    stores = take(jobs::open_stores(stores_in(where.path()), clock));
    blobs = std::make_shared<watched_blobs>(stores.blobs);
    stores.blobs = blobs;
    queue = std::make_shared<jobs::job_queue>(stores, rules, clock);
  }

  /// A queue of its own over the same stores, as another process has it.
  [[nodiscard]] std::shared_ptr<jobs::job_queue> other_queue(jobs::wall_clock clock = jobs::system_clock()) const {
    auto own = take(jobs::open_stores(stores_in(where.path()), clock));
    return std::make_shared<jobs::job_queue>(own, rules, clock);
  }

  [[nodiscard]] std::string put(const made_up_video& video, std::string key = {}) const {
    return put(video.file(), key);
  }
  [[nodiscard]] std::string put(const std::string& file, std::string key = {}) const {
    jobs::job_request request;
    request.id = queue->new_id();
    request.input_blob = jobs::input_name(request.id);
    request.idempotency_key = std::move(key);
    take(put_blob(queue->blobs(), request.input_blob, bytes_of(file)));
    const auto id = take(queue->put(request)).record.id;
    board->tell(id, front::job_news::waits);
    return id;
  }

  [[nodiscard]] jobs::job job(const std::string& id) const { return take(queue->get(id)).value(); }
  [[nodiscard]] bool becomes(const std::string& id, jobs::job_state state) const {
    return soon([&] { return job(id).state == state; });
  }
  [[nodiscard]] std::string result(const std::string& id) const {
    return take(get_blob(queue->blobs(), jobs::result_name(id), 1 << 24));
  }
  /// Names of all blobs.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& each : take(queue->blobs().list("", "", 10'000)).blobs) out.push_back(each.name);
    return out;
  }

  folder where;
  jobs::job_rules rules;
  jobs::job_stores stores;
  std::shared_ptr<watched_blobs> blobs;
  std::shared_ptr<jobs::job_queue> queue;
  std::shared_ptr<front::job_board> board = std::make_shared<front::job_board>();
  metrics::registry registry;
  fake_pipeline pipeline; ///< goes before the stores do
};

} // namespace penstock::test
