#include "tests/unit/inference/checking_device.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "kernels/format_shape.hpp"

namespace penstock::tests {
namespace {

core::expected<void> failed() { return core::fail(core::errc::engine, "the device failed"); }

template <class T>
byte_range range_of(const T* from, std::size_t n) {
  return {reinterpret_cast<const std::byte*>(from), n * sizeof(T)};
}

byte_range range_of(const void* from, std::size_t bytes) { return {static_cast<const std::byte*>(from), bytes}; }

} // namespace

struct checking_device::checking_stream final : kernels::stream {
  explicit checking_stream(std::shared_ptr<queue> q) : work{std::move(q)} {}
  void* native() const noexcept override { return work.get(); }
  std::shared_ptr<queue> work;
};

struct checking_device::checking_event final : kernels::event {
  std::shared_ptr<recorded> last; ///< null: never recorded
};

checking_device::checking_device(std::uint64_t seed)
    : random_{seed}, memory_{std::make_shared<checking_memory>()}, allocated_{std::make_shared<std::size_t>(0)} {
  info_ = {"checking:0", "a device that checks", core::memory_kind::device, memory_limit_, "", ""};
  eagerness_ = std::array{0.0, 0.3, 0.6, 0.95}[random_() % 4];
  static_cast<void>(new_queue());
}

checking_device::queue& checking_device::of(kernels::stream& s) { return *static_cast<checking_stream&>(s).work; }

checking_device::queue& checking_device::new_queue() {
  auto& q = *queues_.emplace_back(std::make_shared<queue>());
  q.index = queues_.size() - 1;
  return q;
}

core::expected<std::size_t> checking_device::free_bytes() const { return memory_limit_ - *allocated_; }

core::expected<kernels::buffer> checking_device::allocate(std::size_t bytes, core::memory_kind kind) {
  if (*allocated_ + bytes > memory_limit_) return core::fail(core::errc::too_large, "no memory is left");
  *allocated_ += bytes;
  auto memory = memory_->allocate(bytes, kind);
  auto* data = memory.get();
  std::shared_ptr<void> counted{data, [memory, bytes, all = allocated_](void*) { *all -= bytes; }};
  memory.reset();
  return kernels::buffer{std::move(counted), bytes, kind};
}

core::expected<kernels::stream_ptr> checking_device::make_stream() {
  static_cast<void>(new_queue());
  return std::make_unique<checking_stream>(queues_.back());
}

core::expected<kernels::event_ptr> checking_device::make_event() { return std::make_unique<checking_event>(); }

// -- the queues
// ---------------------------------------------------------------------------------------------------------

core::expected<void> checking_device::call() {
  if (dead_) return failed();
  ++calls_;
  if (fail_in_ == 0 || --fail_in_ > 0) return {};
  if (dies_) die();
  return failed();
}

void checking_device::fail_call(int calls, bool dies) {
  fail_in_ = calls;
  dies_ = dies;
}

/// Nothing runs any more; who waits is told.
void checking_device::die() {
  dead_ = true;
  for (auto& q : queues_) {
    host_.advance(q->index, q->enqueued);
    for (auto& op : std::exchange(q->waiting, {})) {
      if (op.tells_host) op.run();
    }
  }
  memory_->settle(host_);
}

core::expected<void> checking_device::enqueue(queue& on, operation op, std::string what) {
  if (auto ok = call(); !ok) return ok;
  op.id = {on.index, ++on.enqueued, fmt::format("{} (stream {})", what, on.index)};
  op.host = host_;
  memory_->expect(op.id, op.reads, op.writes);
  on.waiting.push_back(std::move(op));
  run_some();
  return {};
}

void checking_device::run_some() {
  std::bernoulli_distribution more{eagerness_};
  while (more(random_) && step()) {
  }
}

bool checking_device::step() {
  std::vector<std::size_t> ready;
  for (const auto& q : queues_) {
    if (!q->waiting.empty() && (!q->waiting.front().after || q->waiting.front().after->reached))
      ready.push_back(q->index);
  }
  if (ready.empty()) return false;
  // mostly on with the same stream, so that some get far ahead of others
  if (random_() % 4 == 0 || std::ranges::find(ready, favourite_) == ready.end())
    favourite_ = ready[random_() % ready.size()];
  run(*queues_[favourite_]);
  return true;
}

void checking_device::run(queue& from) {
  auto op = std::move(from.waiting.front());
  from.waiting.pop_front();
  now_ += std::chrono::microseconds{10};
  from.known.join(op.host);
  if (op.after) from.known.join(op.after->known);
  memory_->open(op.id, from.known, op.reads, op.writes, op.looks);
  from.known.advance(from.index, op.id.number);
  if (op.point) *op.point = {true, from.index, op.id.number, from.known, now_};
  if (op.tells_host) {
    host_.join(from.known);
    memory_->settle(host_);
  }
  if (op.run) op.run();
  memory_->closed();
}

core::expected<void> checking_device::synchronize(kernels::stream& on) {
  if (dead_) return failed();
  auto& q = of(on);
  if (!q.waiting.empty()) ++blocked_;
  while (!q.waiting.empty()) {
    if (step()) continue;
    memory_->complain("streams wait for each other");
    return failed();
  }
  host_.join(q.known);
  memory_->settle(host_);
  return {};
}

core::expected<void> checking_device::record(kernels::event& point, kernels::stream& on) {
  auto now = std::make_shared<recorded>();
  operation op;
  op.point = now;
  auto ok = enqueue(of(on), std::move(op), "an event");
  if (ok) static_cast<checking_event&>(point).last = now;
  return ok;
}

core::expected<void> checking_device::wait(kernels::stream& later, const kernels::event& point) {
  operation op;
  op.after = static_cast<const checking_event&>(point).last;
  return enqueue(of(later), std::move(op), "a wait");
}

core::expected<void> checking_device::wait_for_default_stream(kernels::stream& later) {
  auto& decoders = *queues_.front();
  operation mark;
  mark.id = {0, ++decoders.enqueued, "the default stream's mark"};
  mark.host = host_;
  mark.point = std::make_shared<recorded>();
  operation op;
  op.after = mark.point;
  decoders.waiting.push_back(std::move(mark));
  return enqueue(of(later), std::move(op), "a wait for the default stream");
}

core::expected<void> checking_device::notify(kernels::stream& on, std::function<void()> done) {
  operation op;
  op.run = std::move(done);
  op.tells_host = true;
  return enqueue(of(on), std::move(op), "a notice");
}

core::expected<std::chrono::nanoseconds> checking_device::elapsed(const kernels::event& from,
                                                                  const kernels::event& to) const {
  if (dead_) return tl::unexpected{failed().error()};
  const auto& a = static_cast<const checking_event&>(from).last;
  const auto& b = static_cast<const checking_event&>(to).last;
  for (const auto& point : {a, b}) {
    if (!point || host_.of(point->stream) < point->number || !point->reached) {
      memory_->complain("times are asked of points that are not known to be reached");
      return core::fail(core::errc::invalid_argument, "not reached");
    }
  }
  return b->time - a->time;
}

// -- operations
// ---------------------------------------------------------------------------------------------------------

core::expected<void> checking_device::launch(void* native, std::string what, std::vector<byte_range> reads,
                                             std::vector<byte_range> writes, std::function<void()> run) {
  operation op;
  op.reads = std::move(reads);
  op.writes = std::move(writes);
  op.run = std::move(run);
  return enqueue(*static_cast<queue*>(native), std::move(op), std::move(what));
}

void checking_device::write_by_default_stream(std::byte* to, std::vector<std::byte> bytes) {
  auto& decoders = *queues_.front();
  operation op;
  op.id = {0, ++decoders.enqueued, "a decoder"};
  op.writes = {{to, bytes.size()}};
  op.host = host_;
  op.run = [to, bytes] { std::memcpy(to, bytes.data(), bytes.size()); };
  memory_->expect(op.id, op.reads, op.writes);
  decoders.waiting.push_back(std::move(op));
}

core::expected<void> checking_device::copy(kernels::stream& on, std::byte* to, const std::byte* from,
                                           std::size_t bytes) {
  operation op;
  op.reads = {{from, bytes}};
  op.writes = {{to, bytes}};
  op.looks = false;
  op.run = [=] { std::memcpy(to, from, bytes); };
  return enqueue(of(on), std::move(op), "a copy");
}

core::expected<void> checking_device::preprocess(kernels::stream& on, const kernels::preprocess_batch& job) {
  if (auto ok = kernels::check(job); !ok) return ok;
  struct arguments {
    kernels::preprocess_spec spec;
    std::vector<core::frame_view> frames;
    std::vector<std::int64_t> shape;
    core::tensor_view slots;
    std::size_t first;
  };
  auto kept = std::make_shared<arguments>(arguments{job.spec,
                                                    {job.frames.begin(), job.frames.end()},
                                                    {job.slots.shape.begin(), job.slots.shape.end()},
                                                    job.slots,
                                                    job.first});
  kept->slots.shape = kept->shape;
  std::vector<byte_range> reads;
  for (auto& frame : kept->frames) {
    if (frame.memory != info_.memory) memory_->complain("preprocess is given a frame that is not the device's");
    const auto shape = kernels::shape_of(frame.format);
    for (std::size_t p = 0; p < shape.planes; ++p) {
      const auto rows = static_cast<std::size_t>(shape.height(frame.height_px, p));
      const auto row = static_cast<std::size_t>(shape.row_bytes(frame.width_px, p));
      for (std::size_t y = 0; y < rows; ++y)
        reads.push_back(range_of(frame.planes[p] + static_cast<std::ptrdiff_t>(y) * frame.strides_bytes[p], row));
    }
  }
  const auto item_bytes = kept->slots.size_bytes() / static_cast<std::size_t>(kept->shape.front());
  auto* slots = static_cast<std::byte*>(kept->slots.data);
  std::vector<byte_range> writes{{slots + kept->first * item_bytes, kept->frames.size() * item_bytes}};
  return launch(&of(on), "preprocess", std::move(reads), std::move(writes), [kept, this] {
    // the twin is told the truth: that the CPU can reach them
    kept->slots.memory = core::memory_kind::host;
    for (auto& frame : kept->frames) frame.memory = core::memory_kind::host;
    auto ok = kernels::cpu::preprocess({kept->spec, kept->frames, kept->slots, kept->first});
    if (!ok) memory_->complain(ok.error().message);
  });
}

core::expected<void> checking_device::decode(kernels::stream& on, const kernels::decode_batch& job) {
  if (auto ok = kernels::check(job); !ok) return ok;
  struct arguments {
    std::optional<kernels::object_spec> objects;
    std::optional<kernels::class_spec> classes;
    std::vector<core::const_tensor_view> outputs;
    std::vector<std::vector<std::int64_t>> shapes;
    std::vector<kernels::geometry> geometries;
    kernels::object_table table;
    std::span<std::byte> workspace;
  };
  auto kept = std::make_shared<arguments>();
  if (job.objects != nullptr) kept->objects = *job.objects;
  if (job.classes != nullptr) kept->classes = *job.classes;
  kept->outputs.assign(job.outputs.begin(), job.outputs.end());
  kept->geometries.assign(job.geometries.begin(), job.geometries.end());
  kept->table = job.table;
  kept->workspace = job.workspace;
  std::vector<byte_range> reads;
  for (const auto& output : job.outputs) {
    if (output.memory != info_.memory) memory_->complain("decode is given outputs that are not the device's");
    kept->shapes.emplace_back(output.shape.begin(), output.shape.end());
    reads.push_back(range_of(output.data, output.size_bytes()));
  }
  for (std::size_t i = 0; i < kept->outputs.size(); ++i) kept->outputs[i].shape = kept->shapes[i];
  const auto needed = kept->objects ? kernels::workspace_bytes(*kept->objects, job.table.items)
                                    : kernels::workspace_bytes(*kept->classes, job.table.items);
  if (job.workspace.size() < needed) memory_->complain("decode is given too little workspace");
  std::vector<byte_range> writes{range_of(job.table.counts, job.table.items),
                                 range_of(job.table.objects, job.table.items * job.table.max_objects),
                                 {job.workspace.data(), job.workspace.size()}};
  return launch(&of(on), "decode", std::move(reads), std::move(writes), [kept, this] {
    std::ranges::fill(kept->workspace, std::byte{0xfe});
    for (auto& output : kept->outputs) output.memory = core::memory_kind::host;
    auto ok =
        kernels::cpu::decode({kept->objects ? &*kept->objects : nullptr, kept->classes ? &*kept->classes : nullptr,
                              kept->outputs, kept->geometries, kept->table, kept->workspace});
    if (!ok) memory_->complain(ok.error().message);
  });
}

core::expected<void> checking_device::annotate(kernels::stream&, const kernels::annotate_job&) {
  return core::fail(core::errc::unsupported, "not modelled");
}

core::expected<void> checking_device::to_jpeg_planes(kernels::stream&, const kernels::to_jpeg_planes_job&) {
  return core::fail(core::errc::unsupported, "not modelled");
}

} // namespace penstock::tests
