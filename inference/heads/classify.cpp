#include <algorithm>
#include <memory>

#include "inference/heads/outputs_of.hpp"

namespace penstock::inference {
namespace {

/// Classification of the whole frame: the `top_k` classes of at least `score`. Values that are not negative and sum to
/// 1 are probabilities already; all others are logits and go through softmax.
class classify_head final : public decoder_head {
 public:
  classify_head(output_slot values, const head_options& options)
      : values_{std::move(values)}, spec_{values_.index, values_.extent(1), options.score,
                                          std::min(options.top_k, options.max_objects)} {}

  std::size_t classes() const noexcept override { return spec_.classes; }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    if (auto fits = check_item(batch, values_, item); !fits) return fits;
    return kernels::cpu::decode_item(spec_, batch.tensors, item, geometry, objects);
  }

  const kernels::class_spec* class_layout() const noexcept override { return &spec_; }

 private:
  output_slot values_;
  kernels::class_spec spec_;
};

} // namespace

core::expected<head_ptr> make_classify(const model_info& model, const head_options& options) {
  auto values = find_output(model, core::element_type::f32, 2);
  if (!values) values = find_output(model, core::element_type::f32, 4, 1);
  if (!values || (values->shape.size() == 4 && values->shape[2] != 1)) {
    return wrong_outputs(model, "classify", "f32[n,classes] (or f32[n,classes,1,1])");
  }
  return std::make_shared<classify_head>(*std::move(values), options);
}

} // namespace penstock::inference
