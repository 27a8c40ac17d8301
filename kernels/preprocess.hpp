#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/tensor.hpp"
#include "kernels/geometry.hpp"

namespace penstock::kernels {

enum class filter : std::uint8_t {
  bilinear, ///< two samples an axis at half-pixel centres, as OpenCV's INTER_LINEAR
  area,     ///< the exact mean of the source pixels under each tensor pixel, as OpenCV's INTER_AREA; an axis (of a
            ///< plane) that is not reduced is bilinear
};

/// Order of the tensor's three channels.
enum class channel_order : std::uint8_t { rgb, bgr };

/// What a model wants to see. A tensor value is (value - mean) * scale, with `value` from 0 to 255.
struct preprocess_spec {
  int width_px = 0;  ///< of the tensor
  int height_px = 0; ///< of the tensor
  kernels::fit fit = kernels::fit::letterbox;
  kernels::filter filter = kernels::filter::bilinear;
  channel_order order = channel_order::rgb;
  std::array<float, 3> mean{0, 0, 0};                             ///< in the order of the tensor's channels
  std::array<float, 3> scale{1.0F / 255, 1.0F / 255, 1.0F / 255}; ///< in the order of the tensor's channels
  float pad = 114;                                                ///< of letterbox borders, before mean and scale
  core::tensor_layout layout = core::tensor_layout::nchw;
  core::element_type type = core::element_type::f32; ///< f32, f16; u8, i8 (rounded and saturated)

  /// invalid_argument where a size is not 1 to 32768, a number is not finite, or `type` is another.
  [[nodiscard]] core::expected<void> validate() const;

  bool operator==(const preprocess_spec&) const = default;
};

/// Where the pixels of a `width_px`×`height_px` picture land in the spec's tensor.
[[nodiscard]] geometry map(const preprocess_spec& spec, int width_px, int height_px) noexcept;

/// Everything about preprocessing that depends on the spec and the picture's size and format only: sampling tables.
/// Made once per stream and size (about 0.1 ms), then run per frame. Copies share the tables. Thread-safe: `run` is
/// const and keeps its state in the workspace.
class preprocess_plan {
 public:
  /// invalid_argument for a bad spec, or a picture without pixels or with a side above 65535.
  [[nodiscard]] static core::expected<preprocess_plan> make(const preprocess_spec& spec, int width_px, int height_px,
                                                            core::pixel_format format);

  /// Plan for frames like this one.
  [[nodiscard]] static core::expected<preprocess_plan> make(const preprocess_spec& spec, const core::frame_view& frame);

  /// Whether `run` takes this frame: same size and format. Matrix and range may differ from frame to frame.
  [[nodiscard]] bool serves(const core::frame_view& frame) const noexcept;

  [[nodiscard]] const preprocess_spec& spec() const noexcept;
  [[nodiscard]] const kernels::geometry& geometry() const noexcept;

  /// Bytes of workspace that `run` needs; no alignment is asked for. Any memory, contents irrelevant; one call at a
  /// time may use it. Tens of kilobytes.
  [[nodiscard]] std::size_t workspace_bytes() const noexcept;

  /// Decoded planes to normalised tensor in one pass, without allocating. YUV is interpolated, then converted (chroma
  /// sited in the centre) and clamped to 0…255. `slot` is one image: [1,]3,H,W or [1,]H,W,3 of the spec's layout, size
  /// and type, and is written completely. Every CPU gives the same result up to rounding in the last bits of f32.
  /// invalid_argument when frame, slot or workspace do not fit the plan; nothing is written then.
  [[nodiscard]] core::expected<void> run(const core::frame_view& frame, core::tensor_view slot,
                                         std::span<std::byte> workspace) const;

 private:
  struct tables;
  explicit preprocess_plan(std::shared_ptr<const tables> t) noexcept : tables_{std::move(t)} {}
  std::shared_ptr<const tables> tables_;
};

} // namespace penstock::kernels
