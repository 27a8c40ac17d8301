#include "kernels/preprocess.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "kernels/checks.hpp"
#include "kernels/cpu/frame_job.hpp"
#include "kernels/format_shape.hpp"

namespace penstock::kernels {

namespace {

constexpr int max_tensor_side_px = 32'768;
constexpr int max_picture_side_px = 65'535;
constexpr std::size_t alignment = 128;

using core::pixel_format;

/// Carves aligned arrays out of the workspace, or only counts where there is none.
class arena {
 public:
  explicit arena(std::byte* memory) noexcept : memory_{memory} {}

  template <class T>
  T* take(std::size_t n) noexcept {
    const auto at = used_;
    used_ += (n * sizeof(T) + alignment - 1) / alignment * alignment;
    return memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + at);
  }

  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  std::byte* memory_;
  std::size_t used_ = 0;
};

core::expected<void> bad(std::string message) { return core::fail(core::errc::invalid_argument, std::move(message)); }

std::string size_text(int width, int height) { return std::to_string(width) + "x" + std::to_string(height); }

core::expected<void> check_sides(int width, int height) {
  if (width < 1 || height < 1 || width > max_picture_side_px || height > max_picture_side_px)
    return bad("picture of " + size_text(width, height) + ": sides must be 1 to 65535");
  return {};
}

} // namespace

struct preprocess_plan::tables {
  preprocess_spec spec;
  kernels::geometry geometry;
  pixel_format format = pixel_format::i420;
  std::array<cpu::column_taps, 2> columns; ///< of luma (or all), of chroma where it has another size
  std::array<cpu::row_taps, 2> rows;
  cpu::frame_job job; ///< all but planes' addresses, colours and slot

  [[nodiscard]] std::size_t layout(std::byte* memory, cpu::scratch& s) const noexcept {
    arena a{memory};
    const auto source = static_cast<std::size_t>(geometry.source_width_px) + cpu::row_slack;
    const auto row = static_cast<std::size_t>(spec.width_px) + cpu::row_slack;
    for (auto& r : s.blended) r = a.take<std::uint16_t>(source);
    if (rows[0].wide || rows[1].wide) s.sums = a.take<std::uint32_t>(source);
    for (auto& r : s.values) r = a.take<float>(row);
    s.packed = a.take<std::byte>(3 * row * sizeof(float));
    return a.used();
  }
};

core::expected<void> preprocess_spec::validate() const {
  if (width_px < 1 || height_px < 1 || width_px > max_tensor_side_px || height_px > max_tensor_side_px)
    return bad("tensor size " + size_text(width_px, height_px) + ": sides must be 1 to 32768");
  const auto finite = [](float v) { return std::isfinite(v); };
  if (!std::all_of(mean.begin(), mean.end(), finite) || !std::all_of(scale.begin(), scale.end(), finite) ||
      !finite(pad))
    return bad("mean, scale and pad must be finite");
  using core::element_type;
  if (type != element_type::f32 && type != element_type::f16 && type != element_type::u8 && type != element_type::i8)
    return bad("image tensors of " + std::string{to_string(type)} + ": must be f32, f16, u8 or i8");
  return {};
}

geometry map(const preprocess_spec& spec, int width_px, int height_px) noexcept {
  return map(spec.fit, width_px, height_px, spec.width_px, spec.height_px);
}

core::expected<preprocess_plan> preprocess_plan::make(const preprocess_spec& spec, int width_px, int height_px,
                                                      pixel_format format) {
  if (auto valid = spec.validate(); !valid) return tl::unexpected{valid.error()};
  if (auto valid = check_sides(width_px, height_px); !valid) return tl::unexpected{valid.error()};

  auto t = std::make_shared<tables>();
  t->spec = spec;
  t->format = format;
  t->geometry = map(spec, width_px, height_px);
  const auto& g = t->geometry;

  auto& job = t->job;
  job.tensor_width = spec.width_px;
  job.tensor_height = spec.height_px;
  job.left = std::max(0, g.left_px);
  job.right = std::min(spec.width_px, g.left_px + g.resized_width_px);
  job.top = std::max(0, g.top_px);
  job.bottom = std::min(spec.height_px, g.top_px + g.resized_height_px);
  job.layout = spec.layout;
  job.type = spec.type;
  job.gray = format == pixel_format::gray8;
  const auto shape = shape_of(format);
  job.plane_count = shape.planes;

  const auto columns = [&](std::size_t plane) {
    const auto step = static_cast<double>(width_px) / g.resized_width_px * (plane > 0 && shape.half_width ? 0.5 : 1.0);
    return cpu::make_column_taps(
        {shape.width(width_px, plane), step, job.left - g.left_px, job.right - job.left, spec.filter});
  };
  const auto rows = [&](std::size_t plane) {
    const auto step =
        static_cast<double>(height_px) / g.resized_height_px * (plane > 0 && shape.half_height ? 0.5 : 1.0);
    return cpu::make_row_taps(
        {shape.height(height_px, plane), step, job.top - g.top_px, job.bottom - job.top, spec.filter});
  };
  t->columns[0] = columns(0);
  t->rows[0] = rows(0);
  if (shape.half_width) t->columns[1] = columns(1);
  if (shape.half_height) t->rows[1] = rows(1);

  for (std::size_t p = 0; p < job.plane_count; ++p) {
    auto& plane = job.planes[p];
    plane.width = shape.width(width_px, p);
    plane.components = shape.components_of(p);
    plane.sample_bytes = shape.sample_bytes;
    plane.first = p;
    plane.columns = &t->columns[p > 0 && shape.half_width ? 1 : 0];
    plane.rows = &t->rows[p > 0 && shape.half_height ? 1 : 0];
  }
  return preprocess_plan{std::move(t)};
}

core::expected<preprocess_plan> preprocess_plan::make(const preprocess_spec& spec, const core::frame_view& frame) {
  return make(spec, frame.width_px, frame.height_px, frame.format);
}

bool preprocess_plan::serves(const core::frame_view& frame) const noexcept {
  return frame.width_px == tables_->geometry.source_width_px && frame.height_px == tables_->geometry.source_height_px &&
         frame.format == tables_->format;
}

const preprocess_spec& preprocess_plan::spec() const noexcept { return tables_->spec; }

const kernels::geometry& preprocess_plan::geometry() const noexcept { return tables_->geometry; }

std::size_t preprocess_plan::workspace_bytes() const noexcept {
  cpu::scratch unused;
  return tables_->layout(nullptr, unused) + alignment;
}

core::expected<void> preprocess_plan::run(const core::frame_view& frame, core::tensor_view slot,
                                          std::span<std::byte> workspace) const {
  const auto& t = *tables_;
  if (!serves(frame)) return bad("the plan was made for pictures of another size or format");
  if (auto ok = check_planes(frame); !ok) return ok;
  if (auto ok = check_slot(t.spec, slot); !ok) return ok;
  if (workspace.size() < workspace_bytes())
    return bad("workspace of " + std::to_string(workspace.size()) + " bytes: " + std::to_string(workspace_bytes()) +
               " are needed");

  void* memory = workspace.data();
  auto room = workspace.size();
  std::align(alignment, 1, memory, room);
  cpu::scratch s;
  static_cast<void>(t.layout(static_cast<std::byte*>(memory), s));

  auto job = t.job;
  for (std::size_t p = 0; p < job.plane_count; ++p) {
    job.planes[p].data = frame.planes[p];
    job.planes[p].stride_bytes = frame.strides_bytes[p];
  }
  job.color = cpu::make_color_map(t.spec, frame.format, frame.matrix, frame.range);
  job.slot = static_cast<std::byte*>(slot.data);
  cpu::run(job, s);
  return {};
}

core::expected<void> check_picture(const core::frame_view& frame) {
  if (auto ok = check_sides(frame.width_px, frame.height_px); !ok) return ok;
  return check_planes(frame);
}

core::expected<void> check_planes(const core::frame_view& frame) {
  const auto shape = shape_of(frame.format);
  for (std::size_t p = 0; p < shape.planes; ++p) {
    const auto bytes = shape.row_bytes(frame.width_px, p);
    if (frame.planes[p] == nullptr) return bad("plane " + std::to_string(p) + " is missing");
    if (std::abs(frame.strides_bytes[p]) < bytes)
      return bad("stride " + std::to_string(frame.strides_bytes[p]) + " of plane " + std::to_string(p) +
                 " is shorter than its rows");
    if (reinterpret_cast<std::uintptr_t>(frame.planes[p]) % static_cast<std::size_t>(shape.sample_bytes) != 0 ||
        frame.strides_bytes[p] % shape.sample_bytes != 0)
      return bad("samples of plane " + std::to_string(p) + " are not aligned");
  }
  return {};
}

core::expected<void> check_slot(const preprocess_spec& spec, core::tensor_view slot) {
  if (slot.data == nullptr) return bad("the slot has no memory");
  if (slot.type != spec.type)
    return bad("slot of " + std::string{to_string(slot.type)} + ", the spec says " + std::string{to_string(spec.type)});
  auto shape = slot.shape;
  if (shape.size() == 4 && shape[0] == 1) shape = shape.subspan(1);
  const bool planar = spec.layout == core::tensor_layout::nchw;
  const auto expected = planar ? std::array<std::int64_t, 3>{3, spec.height_px, spec.width_px}
                               : std::array<std::int64_t, 3>{spec.height_px, spec.width_px, 3};
  if (!std::equal(shape.begin(), shape.end(), expected.begin(), expected.end()))
    return bad("the slot's shape is not one " + size_text(spec.width_px, spec.height_px) +
               " image of the spec's layout");
  return {};
}

} // namespace penstock::kernels
