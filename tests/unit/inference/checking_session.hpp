#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/detection.hpp"
#include "inference/engine.hpp"
#include "inference/head.hpp"
#include "inference/image_input.hpp"
#include "tests/unit/inference/checking_device.hpp"

namespace penstock::tests {

/// A model that a `checking_session` plays.
struct checking_model {
  enum class kind : std::uint8_t { objects, classes, plain };

  kind what = kind::objects;
  inference::image_input input;
  std::int64_t fixed_batch = 0; ///< 0: open
  bool half = false;            ///< outputs are f16
  std::int64_t anchors = 12;
  std::int64_t classes = 3;

  [[nodiscard]] inference::model_info info() const;
  /// Shape of the first output. `plain` has a second one, i32[n,1].
  [[nodiscard]] std::vector<std::int64_t> shape(std::int64_t n) const;

  /// The first output for one image, as the bytes of its elements: numbers that depend on all of its parts.
  [[nodiscard]] std::vector<std::byte> answer(std::span<const std::byte> image) const;
  [[nodiscard]] static std::int32_t sum(std::span<const std::byte> image) noexcept;

  /// The head for it: with an `object_layout`, a `class_layout`, or for the CPU only.
  [[nodiscard]] inference::head_ptr head() const;

  /// What the head makes of one image, in plain memory.
  [[nodiscard]] std::vector<core::detection> expected(std::span<const std::byte> image,
                                                      const kernels::geometry& geometry) const;
};

/// A session on a checking device: its runs are operations of the stream that it is given.
class checking_session final : public inference::session {
 public:
  checking_session(std::shared_ptr<checking_device> device, const checking_model& model)
      : device_{std::move(device)}, model_{model}, info_{model.info()} {}

  using session::run;
  [[nodiscard]] const inference::model_info& info() const noexcept override { return info_; }
  [[nodiscard]] core::expected<inference::outputs> run(core::const_tensor_view images, void* stream) const override;

  void fail_next() noexcept { fails_ = true; }

 private:
  std::shared_ptr<checking_device> device_;
  checking_model model_;
  inference::model_info info_;
  mutable bool fails_ = false;
};

} // namespace penstock::tests
