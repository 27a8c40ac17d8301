#include "inference/batch_ring_lane.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace penstock::inference {
namespace {

template <class T>
core::expected<void> keep(core::expected<T> made, T& here) {
  if (!made) return tl::unexpected{std::move(made).error()};
  here = *std::move(made);
  return {};
}

} // namespace

ring_lane::ring_lane(const batch_ring_config& config, ring_memory& memory)
    : config_{&config}, memory_{&memory}, device_{config.device.get()}, layout_{lane_layout::of(config)},
      shape_{config.input.shape(static_cast<std::int64_t>(layout_.slots))} {}

core::expected<std::unique_ptr<ring_lane>> ring_lane::make(const batch_ring_config& config, ring_memory& memory) {
  std::unique_ptr<ring_lane> lane{new ring_lane{config, memory}};
  if (auto ok = lane->allocate(); !ok) return tl::unexpected{std::move(ok).error()};
  return lane;
}

core::expected<void> ring_lane::allocate() {
  using core::memory_kind;
  auto ok = keep(device_->make_stream(), copy_);
  if (ok) ok = keep(device_->make_stream(), compute_);
  for (auto& made : points_) {
    if (ok) ok = keep(device_->make_event(), made);
  }
  if (ok) ok = memory_->replace(tensor_, layout_.tensor, memory_kind::device);
  if (ok) ok = memory_->replace(table_, layout_.table, memory_kind::device);
  if (ok) ok = memory_->replace(workspace_, layout_.workspace, memory_kind::device);
  if (ok) ok = memory_->replace(home_, std::max(layout_.table, layout_.outputs), memory_kind::host);
  if (ok) ok = staging_.reserve(*memory_, config_->staging_bytes);
  if (ok && layout_.fixed) ok = blank_tensor();
  return ok;
}

/// Slots beyond a small batch are computed, too: old pictures or zeros, never whatever the memory held (numbers that
/// are not normal can be slow, and are not defined).
core::expected<void> ring_lane::blank_tensor() {
  kernels::buffer zeros;
  auto ok = memory_->replace(zeros, std::min(layout_.tensor, std::size_t{1} << 20U), core::memory_kind::host);
  if (!ok) return ok;
  std::ranges::fill(zeros.span(), std::byte{0});
  for (std::size_t at = 0; ok && at < layout_.tensor; at += zeros.size_bytes()) {
    ok = device_->copy(*compute_, tensor_.data() + at, zeros.data(), std::min(zeros.size_bytes(), layout_.tensor - at));
  }
  auto done = device_->synchronize(*compute_);
  static_cast<void>(memory_->replace(zeros, 0, core::memory_kind::host));
  return ok ? done : ok;
}

ring_lane::~ring_lane() {
  if (!busy_) return;
  abandon();
  notified_.wait();
}

core::tensor_view ring_lane::slots() const noexcept {
  return {tensor_.data(), config_->spec.type, shape_, device_->info().memory};
}

core::expected<void> ring_lane::start(std::vector<core::frame_ptr> frames, std::function<void()> done) {
  if (busy_) return core::fail(core::errc::invalid_argument, "the lane has a batch under way");
  frames_ = std::move(frames);
  auto ok = enqueue(std::move(done));
  if (ok) {
    busy_ = true;
  } else {
    abandon();
    forget();
  }
  return ok;
}

core::expected<void> ring_lane::enqueue(std::function<void()> done) {
  auto ok = admit_all();
  if (ok && !admitted_.empty()) {
    ok = preprocess();
    if (ok) ok = infer();
    if (ok) ok = mark(inferred);
    if (ok) ok = postprocess();
    if (ok) ok = mark(finished);
  }
  if (!ok) return ok;
  auto told = std::make_shared<std::promise<void>>();
  notified_ = told->get_future();
  return device_->notify(*compute_, [told, done = std::move(done)] {
    if (done) done();
    told->set_value(); // last, so that a ring that is gone has called nobody since
  });
}

/// Which frames can be preprocessed, and room for those that must be uploaded.
core::expected<void> ring_lane::admit_all() {
  uploads_ = false;
  std::size_t wanted = 0;
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const auto& frame = frames_[i]->view;
    auto& item = items_.emplace_back();
    const auto staging_bytes = admit(frame);
    if (!staging_bytes) {
      item.objects = tl::unexpected{staging_bytes.error()};
      continue;
    }
    item.geometry = kernels::map(config_->spec, frame.width_px, frame.height_px);
    admitted_.push_back({i, *staging_bytes});
    views_.push_back(frame);
    geometries_.push_back(item.geometry);
    wanted += *staging_bytes;
  }
  uploads_ = wanted > 0;
  if (wanted <= staging_.size_bytes()) return {};
  // half as much again, so that slowly growing batches are soon done with it
  const auto roomy = std::max(wanted, staging_.size_bytes() + staging_.size_bytes() / 2);
  return staging_.reserve(*memory_, std::min(roomy, config_->most_staging_bytes));
}

/// Bytes of staging that the frame needs.
core::expected<std::size_t> ring_lane::admit(const core::frame_view& frame) const {
  const auto here = device_->info().memory;
  auto view = frame;
  view.memory = here;
  if (auto ok = kernels::check({config_->spec, {&view, 1}, slots(), 0}); !ok) {
    return tl::unexpected{std::move(ok).error()};
  }
  if (frame.memory == here) return 0;
  if (frame.memory == core::memory_kind::device) {
    return core::fail(core::errc::unsupported,
                      fmt::format("the frame lies on a device, which {} cannot read", device_->info().name));
  }
  const auto bytes = frame_staging::bytes_for(frame);
  if (bytes > config_->most_staging_bytes) {
    return core::fail(core::errc::too_large,
                      fmt::format("a frame of {}x{} takes {} bytes, at most {} are staged", frame.width_px,
                                  frame.height_px, bytes, config_->most_staging_bytes));
  }
  return bytes;
}

/// In one round, where staging memory takes all frames. Else in as few as it allows: between two of them the caller
/// waits until pinned memory may be written, and copies wait until what they write has been preprocessed.
core::expected<void> ring_lane::preprocess() {
  core::expected<void> ok;
  if (uploads_) ok = device_->record(*points_[copies_begun], *copy_);
  const auto in_place = [](const admitted& a) { return a.staging_bytes == 0; };
  if (ok && std::ranges::any_of(admitted_, in_place)) ok = device_->wait_for_default_stream(*compute_);
  for (std::size_t first = 0; ok && first < admitted_.size();) {
    if (first > 0) ok = device_->synchronize(*copy_);
    if (ok && first > 0) ok = device_->wait(*copy_, *points_[preprocessed]);
    auto last = first;
    std::size_t staged = 0;
    for (; ok && last < admitted_.size(); ++last) {
      const auto bytes = admitted_[last].staging_bytes;
      if (bytes == 0) continue;
      if (staged + bytes > staging_.size_bytes()) break;
      ok = keep(staging_.upload(*device_, *copy_, views_[last], staged), views_[last]);
      staged += bytes;
    }
    if (ok && staged > 0) ok = device_->record(*points_[copies_done], *copy_);
    if (ok && staged > 0) ok = device_->wait(*compute_, *points_[copies_done]);
    if (ok && first == 0) ok = mark(begun);
    if (ok)
      ok = device_->preprocess(*compute_,
                               {config_->spec, std::span{views_}.subspan(first, last - first), slots(), first});
    if (ok) ok = mark(preprocessed);
    first = last;
  }
  return ok;
}

core::expected<void> ring_lane::infer() {
  const auto images = layout_.fixed ? layout_.slots : admitted_.size();
  const auto shape = config_->input.shape(static_cast<std::int64_t>(images));
  const auto here = device_->info().memory;
  auto ok =
      keep(config_->session->run({tensor_.data(), config_->spec.type, shape, here}, compute_->native()), outputs_);
  const auto elsewhere = [&](const core::const_tensor_view& output) { return output.memory != here; };
  if (ok && std::ranges::any_of(outputs_.tensors, elsewhere)) {
    ok = core::fail(core::errc::engine, fmt::format("{} does not leave its outputs on {}",
                                                    config_->session->info().name, device_->info().name));
  }
  return ok;
}

core::expected<void> ring_lane::postprocess() {
  if (layout_.table == 0) return fetch_outputs();
  const kernels::object_table table{reinterpret_cast<std::uint32_t*>(table_.data()),
                                    reinterpret_cast<kernels::device_object*>(table_.data() + layout_.objects_at),
                                    admitted_.size(), layout_.max_objects};
  auto ok = device_->decode(*compute_, {config_->head->object_layout(), config_->head->class_layout(), outputs_.tensors,
                                        geometries_, table, workspace_.span()});
  const auto used = layout_.objects_at + admitted_.size() * layout_.max_objects * sizeof(kernels::device_object);
  return ok ? device_->copy(*compute_, home_.data(), table_.data(), used) : ok;
}

/// Waits for all that may be under way. A device that cannot wait has failed, and does nothing any more.
void ring_lane::abandon() {
  static_cast<void>(device_->synchronize(*copy_));
  static_cast<void>(device_->synchronize(*compute_));
}

/// Nothing of the batch is in use any more.
void ring_lane::forget() {
  busy_ = false;
  frames_.clear();
  items_.clear();
  admitted_.clear();
  views_.clear();
  geometries_.clear();
  outputs_ = {};
}

core::expected<batch_result> ring_lane::collect() {
  if (!busy_) return core::fail(core::errc::invalid_argument, "the lane has no batch under way");
  auto passed = device_->synchronize(*compute_);
  notified_.wait();
  if (!passed) {
    forget();
    return tl::unexpected{std::move(passed).error()};
  }
  batch_result result;
  result.items = std::move(items_);
  core::expected<void> ok;
  if (!admitted_.empty()) {
    if (uploads_) ok = keep(between(copies_begun, copies_done), result.upload);
    if (ok) ok = keep(between(begun, preprocessed), result.preprocess);
    if (ok) ok = keep(between(preprocessed, inferred), result.inference);
    if (ok) ok = keep(between(inferred, finished), result.postprocess);
    if (ok && layout_.table > 0) read_table(result);
    if (ok && layout_.table == 0) decode_outputs(result);
  }
  forget();
  if (!ok) return tl::unexpected{std::move(ok).error()};
  return result;
}

core::expected<std::chrono::microseconds> ring_lane::between(point from, point to) const {
  return device_->elapsed(*points_[from], *points_[to]).map([](std::chrono::nanoseconds time) {
    return std::chrono::round<std::chrono::microseconds>(time);
  });
}

} // namespace penstock::inference
