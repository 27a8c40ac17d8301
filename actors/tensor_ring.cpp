#include "actors/tensor_ring.hpp"

#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace penstock::actors {

namespace {

constexpr std::align_val_t alignment{64};

std::size_t product(const std::array<std::int64_t, 4>& shape) {
  std::size_t n = 1;
  for (auto extent : shape) n *= static_cast<std::size_t>(extent);
  return n;
}

} // namespace

void tensor_batch::release::operator()(std::byte* memory) const noexcept { ::operator delete(memory, alignment); }

tensor_batch::tensor_batch(std::array<std::int64_t, 4> item_shape, core::element_type type, std::size_t capacity)
    : item_shape_{item_shape}, batch_shape_{item_shape}, type_{type}, capacity_{capacity},
      item_bytes_{product(item_shape) * core::size_of(type)}, memory_{static_cast<std::byte*>(
                                                                  ::operator new(item_bytes_* capacity, alignment))} {}

core::tensor_view tensor_batch::slot(std::size_t i) const noexcept {
  return {memory_.get() + i * item_bytes_, type_, item_shape_};
}

core::const_tensor_view tensor_batch::images(std::size_t n) noexcept {
  batch_shape_[0] = static_cast<std::int64_t>(n);
  return {memory_.get(), type_, batch_shape_};
}

void tensor_batch::move(std::size_t from, std::size_t to) noexcept {
  std::memcpy(memory_.get() + to * item_bytes_, memory_.get() + from * item_bytes_, item_bytes_);
}

tensor_ring::tensor_ring(std::array<std::int64_t, 4> item_shape, core::element_type type, std::size_t capacity,
                         std::size_t batches) {
  free_.reserve(batches);
  for (std::size_t i = 0; i < batches; ++i) free_.push_back(std::make_shared<tensor_batch>(item_shape, type, capacity));
}

tensor_slot tensor_ring::acquire() {
  const std::lock_guard lock{mutex_};
  if (!open_) {
    if (free_.empty()) throw std::logic_error{"a tensor slot was acquired without a credit"};
    open_ = std::move(free_.back());
    free_.pop_back();
    taken_ = 0;
  }
  tensor_slot slot{open_, taken_++};
  if (taken_ == open_->capacity()) open_.reset();
  return slot;
}

std::size_t tensor_ring::seal(const tensor_batch_ptr& batch) {
  const std::lock_guard lock{mutex_};
  if (open_ != batch) return batch->capacity();
  open_.reset();
  return taken_;
}

void tensor_ring::release(tensor_batch_ptr batch) {
  const std::lock_guard lock{mutex_};
  free_.push_back(std::move(batch));
}

} // namespace penstock::actors
