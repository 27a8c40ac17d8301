#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "inference/heads/outputs_of.hpp"

namespace penstock::inference {
namespace {

/// Classification of the whole frame: the `top_k` classes of at least `score`. Values that are not negative and sum to
/// 1 are probabilities already; all others are logits and go through softmax.
class classify_head final : public decoder_head {
 public:
  classify_head(output_slot values, const head_options& options) : values_{std::move(values)}, options_{options} {}

  std::size_t classes() const noexcept override { return values_.extent(1); }

  core::expected<void> decode(const outputs& batch, std::size_t item, const kernels::geometry& geometry,
                              std::vector<core::detection>& objects) const override {
    const auto data = f32_item_of(batch, values_, item);
    if (!data) return tl::unexpected{data.error()};
    const std::span values{*data, classes()};
    const auto most = *std::ranges::max_element(values);
    const auto exp_sum = [&](double sum, float v) { return sum + std::exp(static_cast<double>(v - most)); };
    const auto normaliser = is_distribution(values) ? 0.0 : std::accumulate(values.begin(), values.end(), 0.0, exp_sum);
    std::vector<std::int32_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    const auto value = [&](std::int32_t c) { return values[static_cast<std::size_t>(c)]; };
    const auto better = [&](std::int32_t a, std::int32_t b) {
      return value(a) > value(b) || (value(a) == value(b) && a < b);
    };
    const auto k = std::min({options_.top_k, options_.max_objects, order.size()});
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(), better);
    const core::box frame{0, 0, static_cast<float>(geometry.source_width_px),
                          static_cast<float>(geometry.source_height_px)};
    objects.clear();
    for (auto c : std::span{order}.first(k)) {
      const auto score =
          normaliser == 0 ? value(c) : static_cast<float>(std::exp(static_cast<double>(value(c) - most)) / normaliser);
      if (score >= options_.score) objects.push_back({c, score, frame});
    }
    return {};
  }

 private:
  static bool is_distribution(std::span<const float> values) {
    const auto negative = [](float v) { return v < 0; };
    const auto sum = std::accumulate(values.begin(), values.end(), 0.0);
    return std::ranges::none_of(values, negative) && std::abs(sum - 1) < 0.01; // f16 models sum to 1 only roughly
  }

  output_slot values_;
  head_options options_;
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
