#include "inference/input_plan.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace penstock::inference {
namespace {

bool takes_sizes(const tensor_info& t) {
  return t.type == core::element_type::i64 && t.shape.size() == 2 && (t.shape[1] == 2 || t.shape[1] == dynamic_extent);
}

} // namespace

core::expected<input_plan> plan_inputs(const model_info& model) {
  auto images = find_image_input(model);
  if (!images) return tl::unexpected{std::move(images).error()};
  input_plan plan{*images, std::nullopt};
  for (std::size_t i = 0; i < model.inputs.size(); ++i) {
    if (i == plan.images.index) continue;
    if (plan.sizes || !takes_sizes(model.inputs[i])) {
      return core::fail(core::errc::unsupported,
                        fmt::format("{}: nothing to give to its input {}; expected is one image input and, at most, "
                                    "one input of sizes i64[n,2]",
                                    model.name, to_string(model.inputs[i])));
    }
    plan.sizes = i;
  }
  return plan;
}

int declared_max_batch(const tensor_info& images) noexcept {
  const auto n = images.shape.front();
  return n == dynamic_extent ? any_batch : static_cast<int>(std::min<std::int64_t>(n, any_batch));
}

core::expected<void> check_images(const model_info& model, const image_input& input,
                                  const core::const_tensor_view& images) {
  const auto& expected = model.inputs[input.index];
  bool fits = images.data != nullptr && images.type == expected.type && images.shape.size() == expected.shape.size();
  for (std::size_t d = 1; fits && d < expected.shape.size(); ++d) {
    fits = images.shape[d] > 0 && (expected.shape[d] == dynamic_extent || images.shape[d] == expected.shape[d]);
  }
  if (fits && images.shape[0] >= 1 && images.shape[0] <= model.max_batch) return {};
  return core::fail(core::errc::invalid_argument,
                    fmt::format("{}: a batch of {}[{}]{} does not fit the input {}", model.name,
                                core::to_string(images.type), fmt::join(images.shape, ","),
                                images.data == nullptr ? " without memory" : "", to_string(expected)));
}

} // namespace penstock::inference
