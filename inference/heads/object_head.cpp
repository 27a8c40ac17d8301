#include "inference/heads/object_head.hpp"

#include <memory>

namespace penstock::inference {
namespace {

class object_head final : public decoder_head {
 public:
  object_head(kernels::object_spec spec, std::vector<output_slot> slots, std::size_t classes)
      : spec_{spec}, slots_{std::move(slots)}, classes_{classes} {}

  std::size_t classes() const noexcept override { return classes_; }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    for (const auto& slot : slots_) {
      if (auto fits = check_item(batch, slot, item); !fits) return fits;
    }
    return kernels::cpu::decode_item(spec_, batch.tensors, item, geometry, objects);
  }

  const kernels::object_spec* object_layout() const noexcept override { return &spec_; }

 private:
  kernels::object_spec spec_;
  std::vector<output_slot> slots_;
  std::size_t classes_;
};

} // namespace

kernels::object_spec object_spec_of(const head_options& options) {
  kernels::object_spec spec;
  spec.score = options.score;
  spec.iou = options.iou;
  spec.class_agnostic = options.class_agnostic;
  spec.max_objects = options.max_objects;
  return spec;
}

head_ptr make_object_head(kernels::object_spec spec, std::vector<output_slot> slots, std::size_t classes) {
  return std::make_shared<object_head>(spec, std::move(slots), classes);
}

} // namespace penstock::inference
