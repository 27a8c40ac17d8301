#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/device.hpp"
#include "tests/unit/inference/checking_memory.hpp"

namespace penstock::tests {

/// A device that does nothing when it is told to: each stream is a queue, and a seeded scheduler runs operations of the
/// streams in any order that streams and events allow, some during later calls, the rest when somebody waits. The
/// kernels are the twins on the CPU. `problems` says where an operation used memory without being ordered after the
/// one that it had to come after, where the CPU touched what it might not, and where memory was freed too early.
/// Single-threaded: `done` of `notify` is called from inside another call, or from `step`.
class checking_device final : public kernels::device {
 public:
  explicit checking_device(std::uint64_t seed);

  [[nodiscard]] const kernels::device_info& info() const noexcept override { return info_; }
  [[nodiscard]] core::expected<std::size_t> free_bytes() const override;
  [[nodiscard]] core::expected<kernels::buffer> allocate(std::size_t bytes, core::memory_kind kind) override;
  [[nodiscard]] core::expected<kernels::stream_ptr> make_stream() override;
  [[nodiscard]] core::expected<kernels::event_ptr> make_event() override;
  [[nodiscard]] core::expected<void> record(kernels::event& point, kernels::stream& on) override;
  [[nodiscard]] core::expected<void> wait(kernels::stream& later, const kernels::event& point) override;
  [[nodiscard]] core::expected<void> wait_for_default_stream(kernels::stream& later) override;
  [[nodiscard]] core::expected<void> notify(kernels::stream& on, std::function<void()> done) override;
  [[nodiscard]] core::expected<void> synchronize(kernels::stream& on) override;
  [[nodiscard]] core::expected<std::chrono::nanoseconds> elapsed(const kernels::event& from,
                                                                 const kernels::event& to) const override;
  [[nodiscard]] core::expected<void> copy(kernels::stream& on, std::byte* to, const std::byte* from,
                                          std::size_t bytes) override;
  [[nodiscard]] core::expected<void> preprocess(kernels::stream& on, const kernels::preprocess_batch& job) override;
  [[nodiscard]] core::expected<void> decode(kernels::stream& on, const kernels::decode_batch& job) override;
  /// Not modelled: `unsupported`.
  [[nodiscard]] core::expected<void> annotate(kernels::stream& on, const kernels::annotate_job& job) override;
  [[nodiscard]] core::expected<void> to_jpeg_planes(kernels::stream& on,
                                                    const kernels::to_jpeg_planes_job& job) override;

  // -- what libraries beside the pipeline do
  // ---------------------------------------------------------------------------

  /// Enqueues `run` on a stream: a kernel of an engine (the stream of `stream::native`).
  [[nodiscard]] core::expected<void> launch(void* native, std::string what, std::vector<byte_range> reads,
                                            std::vector<byte_range> writes, std::function<void()> run);

  /// Enqueues on the default stream, as decoders do, a copy of these bytes into device memory.
  void write_by_default_stream(std::byte* to, std::vector<std::byte> bytes);

  // -- what a test does
  // ------------------------------------------------------------------------------------------------

  /// Runs one operation, if there is one that can run. `done`s may be called.
  bool step();

  /// The `calls`-th call from now that enqueues fails (1: the next); where `dies`, the device with it, for good.
  void fail_call(int calls, bool dies);

  /// Calls so far that `fail_call` could have failed.
  [[nodiscard]] int calls() const noexcept { return calls_; }

  /// How often the CPU had to wait in `synchronize`.
  [[nodiscard]] int blocked() const noexcept { return blocked_; }

  void limit_memory(std::size_t device_bytes) noexcept { memory_limit_ = device_bytes; }
  [[nodiscard]] std::vector<std::string> problems() const { return memory_->problems(); }

 private:
  struct queue;
  struct checking_stream;
  struct checking_event;

  /// A point that a stream reaches.
  struct recorded {
    bool reached = false;
    std::size_t stream = 0;
    std::uint64_t number = 0;
    vector_clock known;
    std::chrono::nanoseconds time{0};
  };

  struct operation {
    operation_id id;
    std::vector<byte_range> reads;
    std::vector<byte_range> writes;
    vector_clock host;               ///< what the CPU knew when it enqueued this
    std::shared_ptr<recorded> after; ///< waits for this point
    std::shared_ptr<recorded> point; ///< becomes this point
    std::function<void()> run;
    bool looks = true; ///< at what it reads
    bool tells_host = false;
  };

  struct queue {
    std::size_t index = 0;
    std::deque<operation> waiting;
    std::uint64_t enqueued = 0;
    vector_clock known;
  };

  [[nodiscard]] static queue& of(kernels::stream& s);
  [[nodiscard]] queue& new_queue();
  [[nodiscard]] core::expected<void> enqueue(queue& on, operation op, std::string what);
  [[nodiscard]] core::expected<void> call();
  void run_some();
  void run(queue& from);
  void die();

  kernels::device_info info_;
  std::mt19937_64 random_;
  double eagerness_;
  std::shared_ptr<checking_memory> memory_;
  std::size_t memory_limit_ = std::size_t{1} << 32U;
  std::shared_ptr<std::size_t> allocated_;
  std::vector<std::shared_ptr<queue>> queues_; ///< the first is the default stream
  std::size_t favourite_ = 0;
  vector_clock host_;
  std::chrono::nanoseconds now_{0};
  int calls_ = 0;
  int fail_in_ = 0;
  bool dies_ = false;
  bool dead_ = false;
  int blocked_ = 0;
};

} // namespace penstock::tests
