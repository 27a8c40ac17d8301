#include "inference/image_input.hpp"

#include "tests/catch.hpp"

using namespace penstock;
using core::element_type;
using core::errc;
using core::tensor_layout;

namespace {

inference::model_info model_with(std::vector<std::int64_t> shape, element_type type = element_type::f32) {
  inference::model_info model;
  model.name = "m.onnx";
  model.inputs.push_back({"images", type, std::move(shape)});
  return model;
}

} // namespace

TEST_CASE("size, layout, channels and type are read from the model's input") {
  struct row {
    std::vector<std::int64_t> shape;
    tensor_layout layout;
    int channels, width, height;
  };
  const std::vector<row> table{
      {{1, 3, 240, 320}, tensor_layout::nchw, 3, 320, 240}, {{-1, 240, 320, 3}, tensor_layout::nhwc, 3, 320, 240},
      {{-1, 3, -1, -1}, tensor_layout::nchw, 3, 0, 0},      {{-1, -1, -1, 3}, tensor_layout::nhwc, 3, 0, 0},
      {{1, 1, 28, 28}, tensor_layout::nchw, 1, 28, 28},     {{1, 28, 28, 1}, tensor_layout::nhwc, 1, 28, 28},
      {{1, 3, 3, 3}, tensor_layout::nchw, 3, 3, 3},         {{4, 3, 32, -1}, tensor_layout::nchw, 3, 0, 32},
  };
  for (const auto& r : table) {
    auto input = inference::find_image_input(model_with(r.shape));
    REQUIRE(input);
    CHECK(input->layout == r.layout);
    CHECK(input->channels == r.channels);
    CHECK(input->width_px == r.width);
    CHECK(input->height_px == r.height);
  }
  CHECK(inference::find_image_input(model_with({1, 3, 8, 8}, element_type::f16))->type == element_type::f16);
}

TEST_CASE("inputs that are no pictures are told from those that are") {
  auto model = model_with({1, 3, 8, 8});
  model.inputs.insert(model.inputs.begin(), {"sizes", element_type::i64, {1, 2}});
  CHECK(inference::find_image_input(model)->index == 1);
  for (const auto& bad : {model_with({1, 64, 8, 8}), model_with({3, 8, 8}), model_with({1, 3, 8, 8}, element_type::i64),
                          model_with({-1, -1, -1, -1}), model_with({0, 3, 8, 8})}) {
    auto input = inference::find_image_input(bad);
    REQUIRE_FALSE(input);
    CHECK(input.error().code == errc::unsupported);
    CHECK(input.error().message.find(inference::to_string(bad.inputs[0])) != std::string::npos);
  }
}

TEST_CASE("the topology may leave the size to the model, or repeat it") {
  const auto model = model_with({1, 3, 240, 320});
  for (auto [width, height] : {std::pair{0, 0}, std::pair{320, 240}}) {
    auto input = inference::resolve_image_input(model, width, height);
    REQUIRE(input);
    CHECK(input->width_px == 320);
    CHECK(input->height_px == 240);
    CHECK(input->shape(2) == std::array<std::int64_t, 4>{2, 3, 240, 320});
  }
  auto last = inference::resolve_image_input(model_with({1, 240, 320, 3}), 0, 0);
  REQUIRE(last);
  CHECK(last->shape(2) == std::array<std::int64_t, 4>{2, 240, 320, 3});
}

TEST_CASE("a size other than the model's is a configuration error that says both") {
  auto input = inference::resolve_image_input(model_with({1, 3, 240, 320}), 640, 480);
  REQUIRE_FALSE(input);
  CHECK(input.error().code == errc::bad_config);
  CHECK(input.error().message ==
        "preprocess.size is 640x480, but m.onnx takes 320x240 (input images f32[1,3,240,320])");
  CHECK_FALSE(inference::resolve_image_input(model_with({1, 3, 240, -1}), 640, 480));
  CHECK_FALSE(inference::resolve_image_input(model_with({1, 3, 240, 320}), 320, 0));
}

TEST_CASE("a model that takes any size needs one from the topology") {
  const auto model = model_with({1, 3, -1, -1});
  auto input = inference::resolve_image_input(model, 0, 0);
  REQUIRE_FALSE(input);
  CHECK(input.error().code == errc::bad_config);
  CHECK(input.error().message.find("preprocess.size must say") != std::string::npos);
  input = inference::resolve_image_input(model, 64, 32);
  REQUIRE(input);
  CHECK(input->width_px == 64);
  CHECK(input->height_px == 32);
}

TEST_CASE("a model for grey pictures is refused while preprocessing makes three channels") {
  auto input = inference::resolve_image_input(model_with({1, 1, 28, 28}), 0, 0);
  REQUIRE_FALSE(input);
  CHECK(input.error().code == errc::unsupported);
}
