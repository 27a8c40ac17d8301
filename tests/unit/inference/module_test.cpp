#include "inference/modules.hpp"

#include <algorithm>

#include "inference/head.hpp"
#include "inference/image_input.hpp"
#include "kernels/geometry.hpp"
#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"
#include "tests/unit/inference/tensors.hpp"

using namespace penstock;
using core::errc;
using folders = std::vector<std::filesystem::path>;

namespace {

/// Where tests/unit/inference/modules and the example are built, a folder for each.
const std::filesystem::path built{PENSTOCK_TEST_MODULES};

const inference::engine& engine_named(const std::vector<std::unique_ptr<const inference::engine>>& all,
                                      std::string_view name) {
  const auto found = std::ranges::find(all, name, [](const auto& e) { return e->name(); });
  REQUIRE(found != all.end());
  return **found;
}

/// What info and load say about the only module of a folder.
std::string refusal(const std::filesystem::path& folder, std::string_view name) {
  const auto engines = inference::find_engines(folders{folder});
  const auto& engine = engine_named(engines, name);
  const auto info = engine.info();
  CHECK(info.devices.empty());
  CHECK(info.version.empty());
  const tests::scratch_folder scratch;
  const auto loaded = engine.load(scratch.write("model.txt", "brightness 16 16"), {});
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == errc::unsupported);
  CHECK(loaded.error().message == info.absent);
  return info.absent;
}

inference::session_ptr load(const std::string& module, std::string_view name, std::string_view model) {
  const auto engines = inference::find_engines(folders{built / module});
  const tests::scratch_folder scratch;
  auto loaded = engine_named(engines, name).load(scratch.write("model.txt", model), {});
  INFO((loaded ? "" : loaded.error().message));
  REQUIRE(loaded);
  return *loaded;
}

/// Dark pictures with one bright cell each.
tests::f32_tensor pictures(const std::vector<std::pair<int, int>>& cells) {
  tests::f32_tensor t{{static_cast<std::int64_t>(cells.size()), 3, 32, 48}};
  for (std::size_t i = 0; i < cells.size(); ++i) {
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 64; ++p) {
        const auto y = 8 * cells[i].second + p / 8;
        t.values[((i * 3 + c) * 32 + y) * 48 + 8 * cells[i].first + p % 8] = 0.75F;
      }
    }
  }
  return t;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("engines that come with the program are listed where their modules are absent, with what to do") {
  const tests::scratch_folder empty;
  const auto engines = inference::find_engines(folders{empty.path(), empty.path() / "nowhere"});
  REQUIRE(engines.size() == 3);
  CHECK(engines[0]->name() == "onnxruntime");
  CHECK(engines[1]->name() == "opencv");
  CHECK(engines[2]->name() == "torch");
  const auto said = refusal(empty.path(), "onnxruntime");
  CHECK(contains(said, "libpenstock-engine-onnxruntime.so is not in " + empty.path().string()));
  CHECK(contains(said, "make setup"));
}

TEST_CASE("any other module in the folders is an engine too") {
  const auto engines = inference::find_engines(folders{built / "brightness"});
  REQUIRE(engines.size() == 4);
  const auto info = engines[3]->info();
  CHECK(info.name == "brightness");
  CHECK(info.version == "1.0");
  CHECK(info.devices == std::vector<std::string>{"cpu"});
  CHECK(info.absent.empty());
  CHECK(info.module == built / "brightness" / "libpenstock-engine-brightness.so");
}

TEST_CASE("a module that stands in two folders is taken from the first, also where it is broken there") {
  const tests::scratch_folder first;
  const auto broken = first.write("libpenstock-engine-brightness.so", "no library");
  for (const auto& [order, module] : {std::pair{folders{built / "brightness", first.path()}, std::string{}},
                                      std::pair{folders{first.path(), built / "brightness"}, broken.string()}}) {
    const auto engines = inference::find_engines(order);
    CHECK(std::ranges::count(engines, "brightness", [](const auto& e) { return e->name(); }) == 1);
    CHECK(engine_named(engines, "brightness").info().absent.starts_with(module));
    CHECK(engine_named(engines, "brightness").info().absent.empty() == module.empty());
  }
}

TEST_CASE("files that are named otherwise are no modules") {
  const tests::scratch_folder folder;
  for (const auto* name : {"libpenstock-engine-.so", "penstock-engine-x.so", "libpenstock-engine-x.so.1", "x.so"}) {
    std::ignore = folder.write(name, "no library");
  }
  CHECK(inference::find_engines(folders{folder.path()}).size() == 3);
}

TEST_CASE("a module that cannot be used says which file and why") {
  struct row {
    std::string folder;
    std::string cause;
  };
  const std::vector<row> table{
      {"no_symbol", "is no engine: it exports no penstock_engine_module"},
      {"no_table", "gives no table of functions"},
      {"other_abi", "speaks version 99 of the engine interface, and this program version 1"},
      {"short_table", "its table of functions is too short"},
      {"gap", "its table of functions has gaps"},
      {"other_name", "calls itself \"elsewhere\""},
      {"no_library", "libpenstock-test-gone.so"}, // depends on one that is not there
  };
  for (const auto& r : table) {
    const auto file = built / r.folder / "libpenstock-engine-faulty.so";
    REQUIRE(std::filesystem::exists(file));
    const auto said = refusal(r.folder.empty() ? built : built / r.folder, "faulty");
    INFO(said);
    CHECK(said.starts_with(file.string() + ": "));
    CHECK(contains(said, r.cause));
  }
  const tests::scratch_folder folder;
  const auto text = folder.write("libpenstock-engine-faulty.so", "This is no library.\n");
  const auto said = refusal(folder.path(), "faulty");
  CHECK(said.starts_with(text.string() + ": cannot be loaded: "));
}

TEST_CASE("an engine without a device here is absent, with the reason of each device") {
  const auto engines = inference::find_engines(folders{built / "no_device"});
  const auto info = engine_named(engines, "faulty").info();
  CHECK(info.devices.empty());
  REQUIRE(info.unusable.size() == 1);
  CHECK(info.absent == "nothing here that it runs on; lamp: it is switched off");
}

TEST_CASE("a device that an engine cannot use here is refused with the reason") {
  const tests::scratch_folder scratch;
  const auto model = scratch.write("model.txt", "brightness 16 16");
  const auto engines = inference::find_engines(folders{built / "brightness"});
  for (const auto* device : {"cuda", "cpu:x", "cpu:-1", "cpu:1 "}) {
    inference::load_options options;
    options.device = device;
    const auto loaded = engine_named(engines, "brightness").load(model, options);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == errc::bad_config);
    CHECK(contains(loaded.error().message, "device \"" + std::string{device} + "\" is not"));
  }
}

TEST_CASE("what a module says about a model file is told with the file's name") {
  const tests::scratch_folder scratch;
  const auto engines = inference::find_engines(folders{built / "brightness"});
  const auto& engine = engine_named(engines, "brightness");
  const auto damaged = scratch.write("damaged.txt", "brightnes 16 16");
  auto loaded = engine.load(damaged, {});
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == errc::corrupt);
  CHECK(loaded.error().message == damaged.string() + ": is not a text `brightness WIDTH HEIGHT`");
  loaded = engine.load(scratch.write("small.txt", "brightness 4 4"), {});
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == errc::unsupported);
}

TEST_CASE("the example engine finds the brightest cell, which its head turns into an object") {
  const auto model = load("brightness", "brightness", "brightness 48 32");
  CHECK(model->info().inputs ==
        std::vector{inference::tensor_info{"images", core::element_type::f32, {-1, 3, 32, 48}}});
  const auto input = inference::resolve_image_input(model->info(), 0, 0);
  REQUIRE(input);
  const auto info = inference::probe(*model, *input);
  REQUIRE(info);
  CHECK(info->max_batch == inference::any_batch);
  const auto head = inference::make_head("ssd", *info, {});
  INFO((head ? "" : head.error().message));
  REQUIRE(head);
  auto out = model->run(pictures({{0, 0}, {5, 3}, {2, 1}}).view());
  REQUIRE(out);
  const auto geometry = kernels::map(kernels::fit::stretch, 96, 64, 48, 32);
  const std::vector<core::box> boxes{{0, 0, 16, 16}, {80, 48, 16, 16}, {32, 16, 16, 16}};
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    std::vector<core::detection> objects;
    REQUIRE((*head)->decode(*out, i, geometry, objects));
    REQUIRE(objects.size() == 1);
    CHECK(objects[0].class_index == 1);
    CHECK(objects[0].score == Approx(0.75F));
    CHECK(objects[0].box.x == Approx(boxes[i].x));
    CHECK(objects[0].box.y == Approx(boxes[i].y));
    CHECK(objects[0].box.w == Approx(boxes[i].w));
    CHECK(objects[0].box.h == Approx(boxes[i].h));
  }
}

TEST_CASE("outputs outlive their session and each other, in whatever order they go") {
  auto model = load("brightness", "brightness", "brightness 48 32");
  auto first = model->run(pictures({{1, 1}}).view());
  auto second = model->run(pictures({{4, 2}, {3, 0}}).view());
  REQUIRE(first);
  REQUIRE(second);
  const std::weak_ptr<const inference::session> watched = model;
  model.reset();
  const auto values = tests::values_of(second->tensors[1]);
  first = core::fail(errc::cancelled, "");
  CHECK(tests::values_of(second->tensors[1]) == values);
  CHECK(values[0] == Approx(4.0F * 8 / 48));
  CHECK_FALSE(watched.expired());
  second = core::fail(errc::cancelled, "");
  CHECK(watched.expired());
}

TEST_CASE("a run that fails in the module says why, and the session can be used again") {
  const auto model = load("run_fails", "faulty", "brightness 48 32");
  for (int i = 0; i < 2; ++i) {
    const auto out = model->run(pictures({{0, 0}}).view());
    REQUIRE_FALSE(out);
    CHECK(out.error().code == errc::engine);
    CHECK(out.error().message == "model.txt: the lamp is broken");
  }
}

TEST_CASE("outputs that a module describes wrongly are an error of the engine") {
  const auto out = load("bad_output", "faulty", "brightness 48 32")->run(pictures({{0, 0}}).view());
  REQUIRE_FALSE(out);
  CHECK(out.error().code == errc::engine);
}
