#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/tensor.hpp"

namespace penstock::actors {

/// Memory for the input of one run of the model: `capacity` image slots, one behind the other.
class tensor_batch {
 public:
  /// `item_shape` is [1, …], the shape of one image.
  tensor_batch(std::array<std::int64_t, 4> item_shape, core::element_type type, std::size_t capacity);

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// The i-th image's memory.
  [[nodiscard]] core::tensor_view slot(std::size_t i) const noexcept;

  /// The first `n` images as one tensor; valid until the next call.
  [[nodiscard]] core::const_tensor_view images(std::size_t n) noexcept;

  /// Moves image `from` into slot `to`.
  void move(std::size_t from, std::size_t to) noexcept;

 private:
  struct release {
    void operator()(std::byte* memory) const noexcept;
  };

  std::array<std::int64_t, 4> item_shape_;
  std::array<std::int64_t, 4> batch_shape_;
  core::element_type type_;
  std::size_t capacity_;
  std::size_t item_bytes_;
  std::unique_ptr<std::byte, release> memory_;
};

using tensor_batch_ptr = std::shared_ptr<tensor_batch>;

/// One image's place in a batch.
struct tensor_slot {
  tensor_batch_ptr batch;
  std::size_t index = 0;
};

/// Hands out slots, one batch after the other, so that frames of any stream end up side by side in the memory that the
/// engine reads. Thread-safe, never blocks.
///
/// With R batches at most in the engine at any time and a credit for every slot that is acquired, `acquire` cannot
/// fail: of `batches` batches, `batches - R` are always outside the engine, and `credits` counts their slots.
class tensor_ring {
 public:
  tensor_ring(std::array<std::int64_t, 4> item_shape, core::element_type type, std::size_t capacity,
              std::size_t batches);

  /// The next slot of the batch that is being filled. Precondition: the caller holds a credit.
  [[nodiscard]] tensor_slot acquire();

  /// No more slots of this batch are handed out. Returns how many were.
  std::size_t seal(const tensor_batch_ptr& batch);

  /// Gives a sealed batch back.
  void release(tensor_batch_ptr batch);

 private:
  std::mutex mutex_;
  std::vector<tensor_batch_ptr> free_; ///< a stack: memory used last is used next, so that little of it is touched
  tensor_batch_ptr open_;
  std::size_t taken_ = 0; ///< slots of `open_` that were handed out
};

} // namespace penstock::actors
