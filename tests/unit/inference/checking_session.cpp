#include "tests/unit/inference/checking_session.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/convert.hpp"
#include "kernels/decode_objects.hpp"

namespace penstock::tests {
namespace {

constexpr std::size_t max_objects = 8;
constexpr std::size_t top_k = 2;

using kind = checking_model::kind;

kernels::object_spec object_layout_of(const checking_model& m) {
  const auto anchors = static_cast<std::size_t>(m.anchors);
  kernels::object_spec spec;
  spec.anchors = anchors;
  spec.classes = static_cast<std::size_t>(m.classes);
  spec.scores = {0, 4 * anchors, 1, anchors};
  spec.boxes = {0, 0, 1, anchors};
  spec.score = 0.3F;
  spec.max_objects = max_objects;
  return spec;
}

kernels::class_spec class_layout_of(const checking_model& m) {
  return {0, static_cast<std::size_t>(m.classes), 0, top_k};
}

class checking_head final : public inference::decoder_head {
 public:
  explicit checking_head(const checking_model& m)
      : kind_{m.what}, objects_{object_layout_of(m)}, classes_{class_layout_of(m)} {}

  std::size_t classes() const noexcept override { return objects_.classes; }
  const kernels::object_spec* object_layout() const noexcept override {
    return kind_ == kind::objects ? &objects_ : nullptr;
  }
  const kernels::class_spec* class_layout() const noexcept override {
    return kind_ == kind::classes ? &classes_ : nullptr;
  }

  core::expected<void> decode(const inference::outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    for (const auto& t : batch.tensors) {
      if (t.type == core::element_type::f16 || t.memory != core::memory_kind::host || batch.tensors.size() != 2)
        return core::fail(core::errc::engine, "not what the contract says");
    }
    auto ok = kernels::cpu::decode_item(objects_, batch.tensors, item, geometry, objects);
    if (ok) objects.push_back({static_cast<const std::int32_t*>(batch.tensors[1].data)[item], 1, {}});
    return ok;
  }

 private:
  kind kind_;
  kernels::object_spec objects_;
  kernels::class_spec classes_;
};

struct device_outputs {
  std::vector<kernels::buffer> buffers;
  std::vector<std::vector<std::int64_t>> shapes;
};

} // namespace

inference::model_info checking_model::info() const {
  inference::model_info info;
  info.name = "checking";
  const auto batch = fixed_batch > 0 ? fixed_batch : inference::dynamic_extent;
  const auto in = input.shape(batch);
  info.inputs = {{"images", input.type, {in.begin(), in.end()}}};
  info.outputs = {{"numbers", core::element_type::f32, shape(batch)}};
  if (what == kind::plain) info.outputs.push_back({"sums", core::element_type::i32, {batch, 1}});
  info.max_batch = fixed_batch > 0 ? static_cast<int>(fixed_batch) : inference::any_batch;
  info.device = "checking:0";
  info.memory = core::memory_kind::device;
  return info;
}

std::vector<std::int64_t> checking_model::shape(std::int64_t n) const {
  if (what == kind::classes) return {n, classes};
  return {n, 4 + classes, anchors};
}

std::int32_t checking_model::sum(std::span<const std::byte> image) noexcept {
  std::uint32_t sum = 17;
  for (auto b : image) sum = sum * 31 + std::to_integer<std::uint32_t>(b);
  return static_cast<std::int32_t>(sum % 1'000'000);
}

std::vector<std::byte> checking_model::answer(std::span<const std::byte> image) const {
  auto state = static_cast<std::uint32_t>(sum(image));
  const auto uniform = [&] {
    state = state * 1'664'525U + 1'013'904'223U;
    return static_cast<float>(state >> 8U) / static_cast<float>(1U << 24U);
  };
  const auto extents = shape(1);
  std::vector<float> numbers(core::const_tensor_view{nullptr, core::element_type::f32, extents}.elements());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto is_box = what != kind::classes && i < 4 * static_cast<std::size_t>(anchors);
    numbers[i] = is_box ? 2 + uniform() * 12 : uniform();
  }
  std::vector<std::byte> bytes(numbers.size() * (half ? 2 : 4));
  if (half) {
    std::vector<std::uint16_t> halves(numbers.size());
    kernels::to_f16(numbers, halves);
    std::memcpy(bytes.data(), halves.data(), bytes.size());
  } else {
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
  }
  return bytes;
}

inference::head_ptr checking_model::head() const { return std::make_shared<checking_head>(*this); }

std::vector<core::detection> checking_model::expected(std::span<const std::byte> image,
                                                      const kernels::geometry& geometry) const {
  const auto bytes = answer(image);
  const auto extents = shape(1);
  const std::array outputs{
      core::const_tensor_view{bytes.data(), half ? core::element_type::f16 : core::element_type::f32, extents}};
  const auto objects = object_layout_of(*this);
  const auto classes_of_it = class_layout_of(*this);
  const auto classifies = what == kind::classes;
  std::uint32_t count = 0;
  std::array<kernels::device_object, max_objects> table;
  const std::array geometries{geometry};
  const auto ok = kernels::cpu::decode({classifies ? nullptr : &objects,
                                        classifies ? &classes_of_it : nullptr,
                                        outputs,
                                        geometries,
                                        {&count, table.data(), 1, max_objects},
                                        {}});
  std::vector<core::detection> found;
  for (const auto& o : std::span{table}.first(ok ? count : 0))
    found.push_back({o.class_index, o.score, {o.x, o.y, o.w, o.h}});
  if (what == kind::plain) found.push_back({sum(image), 1, {}});
  return found;
}

core::expected<inference::outputs> checking_session::run(core::const_tensor_view images, void* stream) const {
  const auto n = images.shape[0];
  if (std::exchange(fails_, false)) return core::fail(core::errc::engine, "the engine failed");
  if (images.memory != core::memory_kind::device || (model_.fixed_batch > 0 && n != model_.fixed_batch))
    return core::fail(core::errc::invalid_argument, "not a batch for this model");
  auto kept = std::make_shared<device_outputs>();
  inference::outputs result;
  std::vector<byte_range> writes;
  std::vector<std::byte*> to;
  const auto add = [&](core::element_type type, std::vector<std::int64_t> shape) {
    kept->shapes.push_back(std::move(shape));
    const auto bytes = core::const_tensor_view{nullptr, type, kept->shapes.back()}.size_bytes();
    auto memory = device_->allocate(bytes, core::memory_kind::device);
    if (!memory) return false;
    kept->buffers.push_back(*memory);
    writes.push_back({memory->data(), bytes});
    to.push_back(memory->data());
    result.tensors.push_back({memory->data(), type, {}, core::memory_kind::device});
    return true;
  };
  if (!add(model_.half ? core::element_type::f16 : core::element_type::f32, model_.shape(n)) ||
      (model_.what == checking_model::kind::plain && !add(core::element_type::i32, {n, 1})))
    return core::fail(core::errc::engine, "no memory is left");
  for (std::size_t i = 0; i < result.tensors.size(); ++i) result.tensors[i].shape = kept->shapes[i];
  result.owner = kept;

  const std::span all{static_cast<const std::byte*>(images.data), images.size_bytes()};
  // it owns nothing: outputs that go too early are missed
  auto compute = [model = model_, all, n, to] {
    const auto item_bytes = all.size() / static_cast<std::size_t>(n);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      const auto image = all.subspan(i * item_bytes, item_bytes);
      const auto numbers = model.answer(image);
      std::memcpy(to[0] + i * numbers.size(), numbers.data(), numbers.size());
      if (to.size() < 2) continue;
      const auto sum = checking_model::sum(image);
      std::memcpy(to[1] + i * sizeof sum, &sum, sizeof sum);
    }
  };
  auto ok = device_->launch(stream, "inference", {{all.data(), all.size()}}, writes, std::move(compute));
  if (!ok) return tl::unexpected{std::move(ok).error()};
  return result;
}

} // namespace penstock::tests
