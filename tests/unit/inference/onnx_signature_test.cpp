#include "inference/engines/onnx_signature.hpp"

#include <random>

#include "tests/catch.hpp"
#include "tests/unit/inference/tiny_models.hpp"

using namespace penstock;

namespace {

auto signature_of(const std::string& model) { return inference::read_onnx_signature(std::as_bytes(std::span{model})); }

} // namespace

TEST_CASE("an ONNX file's signature lists inputs without initialisers, and outputs") {
  auto signature = signature_of(tests::convolution_model(false));
  REQUIRE(signature);
  CHECK(signature->inputs == std::vector{inference::tensor_info{"images", core::element_type::f32, {1, 3, 4, 6}}});
  CHECK(signature->outputs == std::vector{inference::tensor_info{"y", core::element_type::f32, {1, 2, 4, 6}}});
  CHECK_FALSE(signature->shares_initializers);
  CHECK(signature_of(tests::convolution_model(true))->shares_initializers);
  CHECK_FALSE(signature_of(tests::sizes_model())->shares_initializers); // its Identity nodes hand on inputs
  CHECK(signature_of(tests::any_size_model())->inputs[0].shape == std::vector<std::int64_t>{-1, 3, -1, -1});
}

TEST_CASE("no damage to an ONNX file makes reading its signature fail other than with an error") {
  const auto whole = tests::convolution_model(true);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    if (auto cut = signature_of(whole.substr(0, n)); !cut) CHECK(cut.error().code == core::errc::corrupt);
  }
  CHECK_FALSE(signature_of(whole.substr(0, whole.size() / 2)));
  std::mt19937 random{7};
  int errors = 0;
  for (int i = 0; i < 5000; ++i) {
    auto damaged = whole;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (!signature_of(damaged)) ++errors;
  }
  CHECK(errors > 500);
}
