#include <optional>
#include <set>

#include "tests/catch.hpp"
#include "tests/unit/inference/head_reference.hpp"
#include "tests/unit/inference/tensors.hpp"

using namespace penstock;
using core::errc;
using tests::f32_output;
using tests::model_giving;

TEST_CASE("each head has one name, a description, and aliases of its own") {
  std::set<std::string_view> names;
  for (const auto& head : inference::heads()) {
    CHECK(names.insert(head.name).second);
    CHECK_FALSE(head.description.empty());
    for (auto alias : head.aliases) CHECK(names.insert(alias).second);
  }
  for (auto promised : {"yolov5", "yolov7", "yolov8", "yolo11", "rtdetr", "ssd", "fastestdet", "classify"}) {
    CHECK(names.contains(promised));
  }
}

TEST_CASE("an unknown head is a configuration error that names those there are") {
  auto head = inference::make_head("yolo99", model_giving({}), {});
  REQUIRE_FALSE(head);
  CHECK(head.error().code == errc::bad_config);
  CHECK(head.error().message ==
        "head \"yolo99\" is unknown; there are yolov7, yolov5, yolo11, yolov8, rtdetr, ssd, fastestdet, classify");
}

TEST_CASE("options out of range are configuration errors") {
  const auto model = model_giving({f32_output({1, 9, 100})});
  for (const auto& bad : {inference::head_options{.score = -0.1F}, inference::head_options{.score = 1.1F},
                          inference::head_options{.iou = 2}, inference::head_options{.max_objects = 0},
                          inference::head_options{.top_k = 0}}) {
    auto head = inference::make_head("yolov8", model, bad);
    REQUIRE_FALSE(head);
    CHECK(head.error().code == errc::bad_config);
  }
  CHECK(inference::make_head("yolov8", model, {}));
}

TEST_CASE("outputs that are not the head's are an error that says what was expected and what was found") {
  struct row {
    std::string_view head;
    inference::model_info model;
  };
  const std::vector<row> table{
      {"yolov5", model_giving({f32_output({1, 84, 8400})})},
      {"yolov5", model_giving({f32_output({1, 100, 5})})},
      {"yolov5", model_giving({f32_output({1, 3, 80, 80, 85})})},
      {"yolov8", model_giving({f32_output({1, 8400, 85})})},
      {"yolov8", model_giving({f32_output({1, 4, 100})})},
      {"yolov8", model_giving({f32_output({1, 84, -1})})},
      {"ssd", model_giving({f32_output({1, 10, 2}, "scores")})},
      {"ssd", model_giving({f32_output({1, 10, 2}, "scores"), f32_output({1, 11, 4}, "boxes")})},
      {"ssd", model_giving({f32_output({1, 10, 2}, "scores"), f32_output({1, 10, 5}, "boxes")})},
      {"ssd", model_giving({f32_output({1, 10, 1}, "scores"), f32_output({1, 10, 4}, "boxes")})},
      {"fastestdet", model_giving({f32_output({1, 5, 22, 22})})},
      {"fastestdet", model_giving({f32_output({1, 85, 484})})},
      {"classify", model_giving({f32_output({1, 10, 7, 7})})},
      {"classify", model_giving({f32_output({10})})},
      {"rtdetr", model_giving({f32_output({1, 300, 4})})},
      {"rtdetr", model_giving({f32_output({1, 300})})},
      {"rtdetr", model_giving({})},
      {"rtdetr", model_giving({{"labels", core::element_type::i64, {1, 200}},
                               f32_output({1, 300, 4}, "boxes"),
                               f32_output({1, 300}, "scores")})},
  };
  for (const auto& r : table) {
    auto head = inference::make_head(r.head, r.model, {});
    INFO(r.head << " of " << (r.model.outputs.empty() ? "" : inference::to_string(r.model.outputs[0])));
    REQUIRE_FALSE(head);
    CHECK(head.error().code == errc::bad_config);
    CHECK(head.error().message.find("head " + std::string{r.head} + " expects") == 0);
    for (const auto& t : r.model.outputs) {
      CHECK(head.error().message.find(inference::to_string(t)) != std::string::npos);
    }
  }
}

TEST_CASE("outputs of another shape than the head was made for are an engine error") {
  const auto head = tests::require_head("yolov8", model_giving({f32_output({-1, 9, 100})}));
  const tests::f32_tensor good{{2, 9, 100}};
  const tests::f32_tensor longer{{2, 9, 101}};
  const tests::owned_tensor<std::int32_t> other{{2, 9, 100}, core::element_type::i32};
  std::vector<core::detection> objects;
  const auto code = [&](const inference::outputs& batch, std::size_t item) {
    auto decoded = head->decode(batch, item, tests::letterboxed(), objects);
    return decoded ? std::optional<errc>{} : decoded.error().code;
  };
  CHECK(code(tests::outputs_of(good), 1) == std::nullopt);
  CHECK(code(tests::outputs_of(good), 2) == errc::engine);
  CHECK(code(tests::outputs_of(longer), 0) == errc::engine);
  CHECK(code(tests::outputs_of(other), 0) == errc::engine);
  CHECK(code({}, 0) == errc::engine);
}
