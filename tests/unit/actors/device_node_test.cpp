#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "inference/engine.hpp"
#include "tests/unit/actors/node_runs.hpp"
#include "tests/unit/inference/tiny_onnx.hpp"

using namespace penstock;
using namespace penstock::actors;
using namespace penstock::actors::test;
using tests::scratch_folder;

namespace {

bool has_engine() {
  const auto engines = inference::engines();
  const auto usable = std::ranges::any_of(
      engines, [](const auto* e) { return e->info().name == "onnxruntime" && e->info().absent.empty(); });
  if (!usable) WARN("skipped: no onnxruntime engine here");
  return usable;
}

std::filesystem::path shared(const std::string& name) {
  const auto* root = std::getenv("PENSTOCK_SHARED");
  return std::filesystem::absolute(std::filesystem::path{root != nullptr ? root : "../shared"} / name);
}

/// The model that is always there, with a low score so that any scene has objects.
std::string demo_stages(int batch) {
  const auto model = std::filesystem::absolute("configs/models/demo-person.onnx").string();
  return "stages:\n  inference: {model: \"" + model + "\", engine: onnxruntime, batch: {max: " + std::to_string(batch) +
         ", wait: 2ms}}\n  postprocess: {head: yolov8, score: 0.02, iou: 0.45}\n";
}

std::string sinks(const scratch_folder& folder) {
  return "sinks: [{kind: jsonl, path: \"" + (folder.path() / "{stream}.jsonl").string() + "\"}]\n";
}

node_run run_on(const std::string& streams_and_stages, const kernels::device_ptr& device) {
  const scratch_folder folder;
  return run(topology_of(streams_and_stages + sinks(folder)), folder.path(), device);
}

std::size_t count_objects(const node_run& run) {
  std::size_t n = 0;
  for (const auto& [stream, frames] : run.objects)
    for (const auto& [seq, objects] : frames) n += objects.size();
  return n;
}

/// Whether an object has a twin among others: same class, box and score within 1e-3, all of it rounded as results are.
bool has_twin(const nlohmann::json& object, const nlohmann::json& others) {
  const auto near = [](const nlohmann::json& a, const nlohmann::json& b, double rounding) {
    return std::abs(a.get<double>() - b.get<double>()) <= 1e-3 + rounding;
  };
  return std::ranges::any_of(others, [&](const auto& other) {
    if (object.at("class") != other.at("class") || !near(object.at("score"), other.at("score"), 1e-4)) return false;
    for (std::size_t i = 0; i < 4; ++i)
      if (!near(object.at("box")[i], other.at("box")[i], 1e-2)) return false;
    return true;
  });
}

/// Each object of one run with at least that score has a twin in the other. (The engine's own numbers depend a little
/// on what else is in a batch, so what is about as good as the least score may be on either side of it.)
void check_twins(const node_run& here, const node_run& there, double score) {
  for (const auto& [stream, frames] : here.objects) {
    REQUIRE(frames.size() == there.objects.at(stream).size());
    for (const auto& [seq, objects] : frames) {
      for (const auto& object : objects) {
        if (object.at("score").get<double>() < score) continue;
        CAPTURE(stream, seq, object.dump());
        CHECK(has_twin(object, there.objects.at(stream).at(seq)));
      }
    }
  }
}

/// (x264 writes the same scene differently from one time to the next.)
const std::string two_scenes =
    "streams:\n"
    "  - {id: a, uri: \"synthetic://?frames=40&width=320&height=240&gop=10&seed=3&codec=mpeg4\"}\n"
    "  - {id: b, uri: \"synthetic://?frames=30&width=640&height=360&gop=12&seed=4&codec=mpeg4\"}\n";

} // namespace

TEST_CASE("batches of one on a device give exactly the objects of the path in host memory", "[actors][scheduler]") {
  if (!has_engine()) return;
  const auto text = two_scenes + demo_stages(1);
  const auto host = run_on(text, nullptr);
  const auto device = run_on(text, kernels::make_host_device());
  CHECK(count_objects(host) > 50);
  CHECK(host.objects == device.objects);
  check_ledgers(device.report);
  CHECK_FALSE(device.report.lost_something());
  CHECK(host.model_line.find("instance") != std::string::npos);
  CHECK(device.model_line.find("(host, ") != std::string::npos);
  CHECK(device.model_line.find("3 lanes") != std::string::npos);
}

TEST_CASE("batches across streams give the objects of the path in host memory", "[actors][scheduler]") {
  if (!has_engine()) return;
  const auto text = two_scenes + demo_stages(8);
  const auto host = run_on(text, nullptr);
  const auto device = run_on(text, kernels::make_host_device());
  check_twins(host, device, 0.05);
  check_twins(device, host, 0.05);
  check_ledgers(device.report);
  CHECK(device.metrics.find("penstock_stage_items_total{stage=\"preprocess\"} 70") != std::string::npos);
  CHECK(device.metrics.find("penstock_stage_queue_items{stage=\"preprocess\"} 0") != std::string::npos);
  CHECK(device.metrics.find("penstock_stage_queue_items{stage=\"inference\"} 0") != std::string::npos);
}

TEST_CASE("real footage has the same objects on a device as in host memory", "[actors][scheduler]") {
  const auto clip = shared("media/one-by-one-person-detection.mp4");
  const auto model = shared("models/coco-fastestdet-352.onnx");
  if (!std::filesystem::exists(clip) || !std::filesystem::exists(model)) {
    WARN("skipped: there is no " << clip << " or " << model);
    return;
  }
  if (!has_engine()) return;
  const auto text = "streams: [{id: door, uri: \"" + clip.string() + "\", sample_fps: 1.5}]\n" +
                    "stages:\n  preprocess: {fit: stretch, color: bgr, scale: 1/255}\n  inference: {model: \"" +
                    model.string() + "\", engine: onnxruntime, batch: {max: 1}}\n" +
                    "  postprocess: {head: fastestdet, score: 0.3, iou: 0.45}\n";
  const auto host = run_on(text, nullptr);
  const auto device = run_on(text, kernels::make_host_device());
  CHECK(count_objects(host) > 20);
  CHECK(host.objects == device.objects);
  check_ledgers(device.report);
}

TEST_CASE("live and lossless streams share a device, and no lossless frame is lost", "[actors][scheduler]") {
  if (!has_engine()) return;
  const auto text = "streams:\n"
                    "  - {id: live, uri: \"synthetic://?live=1&fps=50&frames=60&width=320&height=240&gop=10\"}\n"
                    "  - {id: file, uri: \"synthetic://?frames=120&width=320&height=240&gop=10&seed=2\"}\n" +
                    demo_stages(4);
  const auto device = run_on(text, kernels::make_host_device());
  check_ledgers(device.report);
  CHECK_FALSE(device.report.lost_something());
  for (const auto& stream : device.report.streams) {
    if (stream.id == "file") CHECK(stream.ledger.delivered == 120);
    if (stream.id == "live") CHECK(stream.ledger.delivered > 0);
  }
}

TEST_CASE("a pipeline on a device that is stopped in the middle balances its ledger", "[actors][scheduler]") {
  if (!has_engine()) return;
  const scratch_folder folder;
  const auto text =
      "streams: [{id: long, uri: \"synthetic://?frames=0&width=320&height=240&gop=10\", policy: lossless}]\n" +
      demo_stages(8) + sinks(folder);
  const auto grace = GENERATE(std::chrono::microseconds{0}, std::chrono::microseconds{10'000'000});
  const auto running = started(topology_of(text), kernels::make_host_device());
  const auto delivered = [&] {
    const auto report = running->report();
    return report.streams.empty() ? 0 : report.streams[0].ledger.delivered;
  };
  while (delivered() < 20) REQUIRE_FALSE(ended(*running, 20));
  running->shut_down(grace);
  REQUIRE(ended(*running, a_minute_ms));
  const auto report = running->report();
  check_ledgers(report);
  CHECK(report.streams.at(0).ledger.delivered >= 20);
  if (grace.count() > 0) CHECK(report.streams.at(0).ledger.dropped_total() == 0);
}

namespace {

/// Classifies; the engine fails on pictures with a white pixel, whose index lies outside of the table.
std::string model_that_fails_on_white() {
  using namespace tests::onnx;
  return graph{}
      .input("images", type::f32, {-1, 3, 8, 8})
      .node("ReduceMax", {"images"}, {"brightest"},
            {attribute("axes", std::vector<std::int64_t>{1, 2, 3}), attribute("keepdims", 0)})
      .node("Cast", {"brightest"}, {"index"}, {attribute("to", static_cast<std::int64_t>(type::i64))})
      .constant("table", {1, 4}, {0.1F, 0.6F, 0.2F, 0.1F})
      .node("Gather", {"table", "index"}, {"scores"})
      .output("scores", type::f32, {-1, 4})
      .model();
}

/// A picture of one grey, 16 × 16, as a Windows bitmap.
std::string bitmap(unsigned char value) {
  constexpr std::uint32_t side = 16, header = 54, bytes = side * side * 3;
  std::string out{"BM"};
  const auto little = [&out](std::uint32_t v, int n) {
    for (int i = 0; i < n; ++i) out += static_cast<char>((v >> (8 * i)) & 255U);
  };
  for (const auto v : {header + bytes, 0U, header, 40U, side, side}) little(v, 4);
  little(1, 2);
  little(24, 2);
  for (const auto v : {0U, bytes, 0U, 0U, 0U, 0U}) little(v, 4);
  out.append(bytes, static_cast<char>(value));
  return out;
}

} // namespace

TEST_CASE("the engine's failure on one picture costs that one only, on a device as in host memory",
          "[actors][scheduler]") {
  if (!has_engine()) return;
  const scratch_folder folder;
  const auto model = folder.write("fails.onnx", model_that_fails_on_white());
  std::filesystem::create_directories(folder.path() / "shots");
  for (int i = 0; i < 20; ++i)
    (void)folder.write("shots/" + std::to_string(100 + i) + ".bmp", bitmap(i == 7 ? 255 : 40));
  const auto text = "streams: [{id: shots, uri: \"" + (folder.path() / "shots").string() + "\"}]\n" +
                    "stages:\n  preprocess: {fit: stretch, scale: 1/64}\n  inference: {model: \"" + model.string() +
                    "\", engine: onnxruntime, batch: {max: 4}}\n  postprocess: {head: classify, score: 0}\n";
  const auto device = GENERATE(false, true);
  CAPTURE(device);
  const auto done = run_on(text, device ? kernels::make_host_device() : nullptr);
  check_ledgers(done.report);
  const auto& ledger = done.report.streams.at(0).ledger;
  CHECK(ledger.received == 20);
  CHECK(ledger.delivered == 19);
  CHECK(ledger.dropped_for(core::drop_reason::engine_error) == 1);
  CHECK(done.objects.at("shots").count(7) == 0);
  for (const auto& [seq, objects] : done.objects.at("shots")) CHECK(objects.at(0).at("class") == 1);
}
