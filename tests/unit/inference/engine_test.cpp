#include "inference/engine.hpp"

#include <algorithm>

#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"
#include "tests/unit/inference/onnx_engines.hpp"
#include "tests/unit/inference/tiny_models.hpp"

using namespace penstock;
using core::errc;

namespace {

core::error load_error(const std::string& engine, const std::filesystem::path& file,
                       const inference::load_options& options = {}) {
  auto loaded = inference::load_model(engine, file, options);
  REQUIRE_FALSE(loaded);
  return loaded.error();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("every engine says what it can do here, or why it cannot") {
  for (const auto* engine : inference::engines()) {
    const auto info = engine->info();
    CHECK_FALSE(info.name.empty());
    CHECK(info.name == engine->name());
    CHECK(info.devices.empty() == !info.absent.empty());
    CHECK(info.version.empty() == !info.absent.empty());
    CHECK(info.module.empty() == !info.absent.empty());
    for (const auto& device : info.unusable) CHECK_FALSE(device.reason.empty());
  }
}

TEST_CASE("auto takes the first engine that is there") {
  const tests::scratch_folder folder;
  const auto model = inference::load_model("auto", folder.write("m.onnx", tests::doubling_model(1)));
  REQUIRE(model);
  const auto first = std::ranges::find_if(inference::engines(), [](auto* e) { return e->info().absent.empty(); });
  CHECK((*model)->info().engine == (*first)->info().name);
}

TEST_CASE("an unknown engine or device is a configuration error that names those there are") {
  const tests::scratch_folder folder;
  const auto model = folder.write("m.onnx", tests::doubling_model(1));
  const auto engine = load_error("onyx", model);
  CHECK(engine.code == errc::bad_config);
  CHECK(engine.message == "engine \"onyx\" is unknown; there are auto, onnxruntime, opencv, torch");
  const auto device = load_error("opencv", model, {"tpu", 1});
  CHECK(device.code == errc::bad_config);
  CHECK(device.message == "device \"tpu\" is not one of engine opencv; it has cpu here");
  CHECK(contains(load_error("auto", model, {"tpu", 1}).message, "opencv: device \"tpu\" is not one of engine opencv"));
  CHECK(load_error("auto", model, {"auto", 0}).code == errc::bad_config);
}

TEST_CASE("files that are no models are told apart, and the message names the file") {
  const tests::scratch_folder folder;
  const auto whole = tests::doubling_model(1);
  struct bad_file {
    std::filesystem::path path;
    errc code;
  };
  const std::vector<bad_file> table{
      {folder.path() / "absent.onnx", errc::not_found},
      {folder.path(), errc::io},
      {folder.write("empty.onnx", ""), errc::corrupt},
      {folder.write("text.onnx", "This is not a model, only a text.\n"), errc::corrupt},
      {folder.write("cut.onnx", whole.substr(0, whole.size() / 2)), errc::corrupt},
      {folder.write("zeros.onnx", std::string(1000, '\0')), errc::corrupt},
  };
  for (const auto& bad : table) {
    for (const auto& engine : tests::onnx_engines()) {
      const auto error = load_error(engine, bad.path);
      INFO(engine << ": " << error.message);
      CHECK(error.code == bad.code);
      CHECK(contains(error.message, bad.path.string()));
    }
    const auto error = load_error("auto", bad.path);
    INFO(error.message);
    CHECK(error.code == bad.code);
    CHECK(contains(error.message, bad.path.string()));
    // What is no model for anybody is said by every engine; what cannot be read, once.
    CHECK(contains(error.message, "\n") == (bad.code == errc::corrupt));
  }
}

TEST_CASE("a model that cannot be fed with images is refused, with its inputs named") {
  const tests::scratch_folder folder;
  using onnx_type = tests::onnx::type;
  const auto tokens = tests::onnx::graph{}
                          .input("tokens", onnx_type::f32, {1, 128})
                          .node("Relu", {"tokens"}, {"y"})
                          .output("y", onnx_type::f32, {1, 128})
                          .model();
  const auto stereo = tests::onnx::graph{}
                          .input("left", onnx_type::f32, {1, 3, 8, 8})
                          .input("right", onnx_type::f32, {1, 3, 8, 8})
                          .node("Add", {"left", "right"}, {"y"})
                          .output("y", onnx_type::f32, {1, 3, 8, 8})
                          .model();
  const auto prompted = tests::onnx::graph{}
                            .input("images", onnx_type::f32, {1, 3, 8, 8})
                            .input("gain", onnx_type::f32, {1})
                            .node("Mul", {"images", "gain"}, {"y"})
                            .output("y", onnx_type::f32, {1, 3, 8, 8})
                            .model();
  for (const auto& engine : tests::onnx_engines()) {
    auto error = load_error(engine, folder.write("m.onnx", tokens));
    CHECK(error.code == errc::unsupported);
    CHECK(contains(error.message, "no input takes images"));
    CHECK(contains(error.message, "tokens f32[1,128]"));
    error = load_error(engine, folder.write("m.onnx", stereo));
    CHECK(error.code == errc::unsupported);
    CHECK(contains(error.message, "left f32[1,3,8,8], right f32[1,3,8,8]"));
    error = load_error(engine, folder.write("m.onnx", prompted));
    CHECK(error.code == errc::unsupported);
    CHECK(contains(error.message, "nothing to give to its input gain f32[1]"));
  }
}

TEST_CASE("a model without outputs is damaged, and one with an operator that nobody knows is unsupported") {
  const tests::scratch_folder folder;
  const auto mute = tests::onnx::graph{}
                        .input("images", tests::onnx::type::f32, {1, 3, 8, 8})
                        .node("Relu", {"images"}, {"y"})
                        .model();
  const auto strange = tests::onnx::graph{}
                           .input("images", tests::onnx::type::f32, {1, 3, 8, 8})
                           .node("Frobnicate", {"images"}, {"y"})
                           .output("y", tests::onnx::type::f32, {1, 3, 8, 8})
                           .model();
  for (const auto& engine : tests::onnx_engines()) {
    auto error = load_error(engine, folder.write("mute.onnx", mute));
    INFO(error.message);
    CHECK(error.code == errc::corrupt);
    error = load_error(engine, folder.write("strange.onnx", strange));
    INFO(error.message);
    CHECK(error.code == errc::unsupported);
    CHECK(contains(error.message, "Frobnicate"));
  }
}

TEST_CASE("a model with elements that nobody here reads is refused") {
  const tests::scratch_folder folder;
  const auto model = folder.write("f64.onnx", tests::onnx::graph{}
                                                  .input("images", tests::onnx::type::f64, {1, 3, 8, 8})
                                                  .node("Relu", {"images"}, {"y"})
                                                  .output("y", tests::onnx::type::f64, {1, 3, 8, 8})
                                                  .model());
  for (const auto& engine : tests::onnx_engines()) {
    const auto error = load_error(engine, model);
    CHECK(error.code == errc::unsupported);
    CHECK(contains(error.message, "images"));
    CHECK(contains(error.message, "type 11"));
  }
}

TEST_CASE("a tensor's description shows open extents") {
  CHECK(inference::to_string({"images", core::element_type::f16, {-1, 3, 640, -1}}) == "images f16[?,3,640,?]");
}
