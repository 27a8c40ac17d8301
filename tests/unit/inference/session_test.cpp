#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>

#include "inference/engine.hpp"
#include "inference/image_input.hpp"
#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"
#include "tests/unit/inference/onnx_engines.hpp"
#include "tests/unit/inference/tensors.hpp"
#include "tests/unit/inference/tiny_models.hpp"

using namespace penstock;
using inference::session_ptr;
using tests::f32_tensor;

namespace {

bool has_onnxruntime() { return tests::onnx_engines().front() == "onnxruntime"; }

session_ptr load(const std::string& engine, const std::string& model) {
  const tests::scratch_folder folder;
  auto loaded = inference::load_model(engine, folder.write("tiny.onnx", model));
  INFO(engine << ": " << (loaded ? "" : loaded.error().message));
  REQUIRE(loaded);
  return *loaded;
}

f32_tensor pictures(std::int64_t n, unsigned seed = 1) { return tests::random_tensor({n, 3, 4, 6}, -1, 1, seed); }

std::vector<float> doubled(std::vector<float> values) {
  for (auto& v : values) v *= 2;
  return values;
}

} // namespace

TEST_CASE("a session says what its model takes and gives") {
  for (const auto& engine : tests::onnx_engines()) {
    const auto model = load(engine, tests::doubling_model(-1));
    const auto& info = model->info();
    CHECK(info.inputs == std::vector{inference::tensor_info{"images", core::element_type::f32, {-1, 3, 4, 6}}});
    CHECK(info.outputs == std::vector{inference::tensor_info{"y", core::element_type::f32, {-1, 3, 4, 6}}});
    CHECK(info.max_batch == inference::any_batch);
    CHECK(info.engine == engine);
    CHECK(info.device == "cpu");
    CHECK(info.name == "tiny.onnx");
    CHECK(info.digest.size() == 64);
  }
}

TEST_CASE("a model with an open batch runs on any number of items") {
  for (const auto& engine : tests::onnx_engines()) {
    const auto model = load(engine, tests::doubling_model(-1));
    for (std::int64_t n : {1, 3, 2}) {
      const auto in = pictures(n);
      auto out = model->run(in.view());
      INFO(engine << ": " << (out ? "" : out.error().message));
      REQUIRE(out);
      REQUIRE(out->tensors.size() == 1);
      CHECK(std::vector(out->tensors[0].shape.begin(), out->tensors[0].shape.end()) == in.shape);
      CHECK(tests::values_of(out->tensors[0]) == doubled(in.values));
    }
  }
}

TEST_CASE("a model with a fixed batch takes fewer items and gives only theirs, and refuses more") {
  for (const auto& engine : tests::onnx_engines()) {
    const auto model = load(engine, tests::doubling_model(2));
    CHECK(model->info().max_batch == 2);
    for (std::int64_t n : {1, 2}) {
      const auto in = pictures(n);
      auto out = model->run(in.view());
      REQUIRE(out);
      CHECK(out->tensors[0].shape[0] == n);
      CHECK(tests::values_of(out->tensors[0]) == doubled(in.values));
    }
    auto refused = model->run(pictures(3).view());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == core::errc::invalid_argument);
    CHECK(refused.error().message == "tiny.onnx: a batch of f32[3,3,4,6] does not fit the input images f32[2,3,4,6]");
  }
}

TEST_CASE("a batch of a wrong type, shape or without memory is refused") {
  for (const auto& engine : tests::onnx_engines()) {
    const auto model = load(engine, tests::doubling_model(-1));
    const auto refused = [&](core::const_tensor_view images) {
      auto out = model->run(images);
      return !out && out.error().code == core::errc::invalid_argument;
    };
    const auto good = pictures(1);
    const tests::owned_tensor<std::uint8_t> bytes{{1, 3, 4, 6}, core::element_type::u8};
    CHECK(refused(bytes.view()));
    CHECK(refused(f32_tensor{{1, 3, 4, 7}}.view()));
    CHECK(refused(f32_tensor{{3, 4, 6}}.view()));
    CHECK(refused(f32_tensor{{0, 3, 4, 6}}.view()));
    CHECK(refused({nullptr, core::element_type::f32, good.shape}));
    CHECK_FALSE(refused(good.view()));
  }
}

TEST_CASE("outputs outlive the session and later runs") {
  for (const auto& engine : tests::onnx_engines()) {
    auto model = load(engine, tests::convolution_model(false));
    auto kept = model->run(pictures(1, 1).view());
    REQUIRE(kept);
    const auto values = tests::values_of(kept->tensors[0]);
    for (unsigned seed = 2; seed < 6; ++seed) {
      auto later = model->run(pictures(1, seed).view());
      REQUIRE(later);
      CHECK(tests::values_of(later->tensors[0]) != values);
    }
    model.reset();
    CHECK(tests::values_of(kept->tensors[0]) == values);
  }
}

TEST_CASE("threads that share a session get their own results") {
  for (const auto& engine : tests::onnx_engines()) {
    const auto model = load(engine, tests::any_size_model());
    std::atomic<int> right = 0;
    std::latch start{4};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        f32_tensor in{{1, 3, 256, 256}};
        start.arrive_and_wait();
        for (int i = 0; i < 50; ++i) {
          const auto value = static_cast<float>(64 * t + i);
          std::ranges::fill(in.values, value);
          auto out = model->run(in.view());
          if (out && tests::values_of(out->tensors[0]) == std::vector(3, value)) ++right;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    INFO(engine);
    CHECK(right == 200);
  }
}

TEST_CASE("pictures with channels last are taken as they are") {
  if (!has_onnxruntime()) return; // OpenCV reorders such inputs
  const auto model = load("onnxruntime", tests::nhwc_model());
  f32_tensor in{{2, 4, 6, 3}};
  for (std::size_t i = 0; i < in.values.size(); ++i) in.values[i] = static_cast<float>(i % 3) + (i < 72 ? 0 : 10);
  auto out = model->run(in.view());
  REQUIRE(out);
  CHECK(tests::values_of(out->tensors[0]) == std::vector<float>{0, 1, 2, 10, 11, 12});
}

TEST_CASE("a second input for sizes gets the tensor's own width and height, whatever the order of the inputs") {
  if (!has_onnxruntime()) return;
  const auto model = load("onnxruntime", tests::sizes_model());
  const auto in = pictures(2);
  auto out = model->run(in.view());
  REQUIRE(out);
  CHECK(tests::values_of(out->tensors[0]) == in.values);
  REQUIRE(out->tensors[1].type == core::element_type::i64);
  const auto* sizes = static_cast<const std::int64_t*>(out->tensors[1].data);
  CHECK(std::vector(sizes, sizes + 4) == std::vector<std::int64_t>{6, 4, 6, 4});
  const tests::scratch_folder folder;
  auto opencv = inference::load_model("opencv", folder.write("tiny.onnx", tests::sizes_model()));
  REQUIRE_FALSE(opencv);
  CHECK(opencv.error().code == core::errc::unsupported);
}

TEST_CASE("a half precision model takes halves and gives floats") {
  if (!has_onnxruntime()) return;
  const auto model = load("onnxruntime", tests::f16_model());
  CHECK(model->info().inputs[0].type == core::element_type::f16);
  CHECK(model->info().outputs[0].type == core::element_type::f32);
  tests::owned_tensor<std::uint16_t> in{{1, 3, 4, 6}, core::element_type::f16};
  in.values.assign(72, 0x3E00); // 1.5
  auto out = model->run(in.view());
  REQUIRE(out);
  CHECK(out->tensors[0].type == core::element_type::f32);
  CHECK(tests::values_of(out->tensors[0]) == std::vector<float>(72, 3.0F));
}

TEST_CASE("a convolution whose weights come through Identity runs, or the error says what is wrong with it") {
  const tests::scratch_folder folder;
  const auto in = pictures(1);
  for (const auto& engine : tests::onnx_engines()) {
    const auto plain = load(engine, tests::convolution_model(false))->run(in.view());
    REQUIRE(plain);
    auto shared = inference::load_model(engine, folder.write("shared.onnx", tests::convolution_model(true)));
    if (shared) {
      auto out = (*shared)->run(in.view());
      REQUIRE(out);
      CHECK(tests::values_of(out->tensors[0]) == tests::values_of(plain->tensors[0]));
    } else {
      CHECK(engine == "opencv");
      CHECK(shared.error().code == core::errc::unsupported);
      CHECK(shared.error().message.find("Identity") != std::string::npos);
    }
  }
}

TEST_CASE("probing finds the shapes of outputs and the batch that really works") {
  for (const auto& engine : tests::onnx_engines()) {
    const auto truly = load(engine, tests::any_size_model());
    auto input = inference::resolve_image_input(truly->info(), 8, 6);
    REQUIRE(input);
    auto info = inference::probe(*truly, *input);
    INFO(engine << ": " << (info ? "" : info.error().message));
    REQUIRE(info);
    CHECK(info->outputs[0].shape == std::vector<std::int64_t>{-1, 3, 1, 1});
    CHECK(info->max_batch == inference::any_batch);

    const auto falsely = load(engine, tests::falsely_dynamic_model());
    input = inference::resolve_image_input(falsely->info(), 0, 0);
    REQUIRE(input);
    info = inference::probe(*falsely, *input);
    REQUIRE(info);
    CHECK(info->outputs[0].shape.back() == 72);
    CHECK(info->max_batch == 1);
  }
}
