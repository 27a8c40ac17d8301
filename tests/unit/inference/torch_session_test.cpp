#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>

#include "inference/engine.hpp"
#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"
#include "tests/unit/inference/tensors.hpp"
#include "tests/unit/inference/torch_script_file.hpp"

using namespace penstock;
using core::errc;
using tests::f32_tensor;

namespace {

bool torch_is_here() {
  const auto found =
      std::ranges::find(inference::engines(), std::string_view{"torch"}, [](auto* e) { return e->name(); });
  if (found != inference::engines().end() && (*found)->info().absent.empty()) return true;
  WARN("skipped: this build has no engine torch");
  return false;
}

core::expected<inference::session_ptr> try_load(const std::string& model, inference::load_options options = {}) {
  const tests::scratch_folder folder;
  options.device = "cpu";
  if (options.width_px == 0) options.width_px = 6;
  if (options.height_px == 0) options.height_px = 4;
  return inference::load_model("torch", folder.write("tiny.pt", model), options);
}

inference::session_ptr load(const std::string& forward, const inference::load_options& options = {}) {
  auto loaded = try_load(tests::torch_script::model(forward), options);
  INFO((loaded ? "" : loaded.error().message));
  REQUIRE(loaded);
  return *loaded;
}

void check_refused(const std::string& model, errc code, const std::string& cause) {
  const auto loaded = try_load(model);
  REQUIRE_FALSE(loaded);
  const auto& message = loaded.error().message;
  INFO(message);
  CHECK(loaded.error().code == code);
  CHECK(message.find("tiny.pt: ") != message.npos);
  CHECK(message.find(cause) != message.npos);
  CHECK(message.find('\n') == message.npos);
}

std::vector<float> run(const inference::session& session, const f32_tensor& images, std::size_t output = 0) {
  const auto out = session.run(images.view());
  INFO((out ? "" : out.error().message));
  REQUIRE(out);
  return tests::values_of(out->tensors.at(output));
}

f32_tensor pictures(std::int64_t n, unsigned seed = 1) { return tests::random_tensor({n, 3, 4, 6}, -1, 1, seed); }

std::vector<float> doubled(std::vector<float> values) {
  for (auto& v : values) v *= 2;
  return values;
}

constexpr auto doubling = "  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return torch.mul(x, 2)\n";

} // namespace

TEST_CASE("a TorchScript model takes the pictures that the options say, in any number") {
  if (!torch_is_here()) return;
  const auto model = load(doubling);
  const auto& info = model->info();
  CHECK(info.inputs == std::vector{inference::tensor_info{"x", core::element_type::f32, {-1, 3, 4, 6}}});
  CHECK(info.outputs == std::vector{inference::tensor_info{"output0", core::element_type::f32, {-1, 3, 4, 6}}});
  CHECK(info.max_batch == inference::any_batch);
  for (std::int64_t n : {1, 3, 2}) CHECK(run(*model, pictures(n)) == doubled(pictures(n).values));
}

TEST_CASE("outputs are named by the keys of a dictionary, otherwise by their number") {
  if (!torch_is_here()) return;
  const auto names = [](const std::string& type, const std::string& result) {
    const auto model = load("  def forward(self: __torch__.M, x: Tensor) -> " + type +
                            ":\n    y = torch.sum(x, [2, 3])\n    return " + result + "\n");
    std::string all;
    for (const auto& output : model->info().outputs) all += (all.empty() ? "" : "; ") + to_string(output);
    return all;
  };
  CHECK(names("Tuple[Tensor, Tensor]", "(x, y)") == "output0 f32[?,3,4,6]; output1 f32[?,3]");
  CHECK(names("Tuple[Tensor, List[Tensor]]", "(y, [x, y])") ==
        "output0 f32[?,3]; output1 f32[?,3,4,6]; output2 f32[?,3]");
  CHECK(names("Dict[str, Tensor]", "{\"scores\": y, \"boxes\": x}") == "scores f32[?,3]; boxes f32[?,3,4,6]");
  CHECK(names("Tuple[Tensor, Tensor]", "(torch.to(y, 7), torch.gt(y, 0))") == "output0 f32[?,3]; output1 u8[?,3]");
}

TEST_CASE("half precision takes and computes f16, and gives f32") {
  if (!torch_is_here()) return;
  const auto model = load(doubling, {.precision = inference::precision::f16});
  CHECK(model->info().inputs[0].type == core::element_type::f16);
  CHECK(model->info().outputs[0].type == core::element_type::f32);
  tests::owned_tensor<std::uint16_t> images{{1, 3, 4, 6}, core::element_type::f16};
  std::ranges::fill(images.values, std::uint16_t{0x3e00}); // 1.5
  const auto out = model->run(images.view());
  REQUIRE(out);
  CHECK(tests::values_of(out->tensors[0]) == std::vector<float>(72, 3.0F));
}

TEST_CASE("a program that writes to its input leaves the caller's pictures as they are") {
  if (!torch_is_here()) return;
  const auto model = load("  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    y = torch.select(x, 1, 0)\n"
                          "    return torch.mul_(y, 2)\n");
  const auto images = pictures(2);
  const auto made = run(*model, images);
  CHECK(images.values == pictures(2).values);
  CHECK(made[0] == 2 * images.values[0]);
}

TEST_CASE("an output that is the input itself has memory of its own, which outlives the session") {
  if (!torch_is_here()) return;
  auto model = load("  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return torch.slice(x, 3, 0, 6)\n");
  auto images = pictures(1);
  auto out = model->run(images.view());
  REQUIRE(out);
  std::ranges::fill(images.values, 0.0F);
  model.reset();
  CHECK(tests::values_of(out->tensors[0]) == pictures(1).values);
}

TEST_CASE("a model that was exported on a GPU makes its tensors on the device that it runs on") {
  if (!torch_is_here()) return;
  const auto model = load("  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n"
                          "    y = torch.ones([1], dtype=None, layout=None, device=torch.device(\"cuda:0\"))\n"
                          "    return torch.add(x, y)\n");
  const auto images = pictures(1);
  CHECK(run(*model, images)[5] == images.values[5] + 1);
}

TEST_CASE("threads that share a TorchScript session get their own results") {
  if (!torch_is_here()) return;
  const auto model = load("  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return torch.sum(x, [2, 3])\n",
                          {.threads = 2, .width_px = 64, .height_px = 64});
  std::atomic<int> right = 0;
  std::latch start{4};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      f32_tensor in{{1, 3, 64, 64}};
      start.arrive_and_wait();
      for (int i = 0; i < 50; ++i) {
        std::ranges::fill(in.values, static_cast<float>(64 * t + i));
        const auto out = model->run(in.view());
        if (out && tests::values_of(out->tensors[0]) == std::vector(3, 4096.0F * static_cast<float>(64 * t + i))) {
          ++right;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 200);
}

TEST_CASE("a run that fails says why, without the program's text, and the next one works") {
  if (!torch_is_here()) return;
  const auto model =
      load("  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return torch.view(x, [1, 72])\n");
  const auto failed = model->run(pictures(2).view());
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == errc::engine);
  CHECK(failed.error().message == "tiny.pt: shape '[1, 72]' is invalid for input of size 144");
  CHECK(run(*model, pictures(1)) == pictures(1).values);
}

TEST_CASE("files that are not TorchScript are refused with what they are and what to do") {
  if (!torch_is_here()) return;
  const auto whole = tests::torch_script::model(doubling);
  check_refused(tests::torch_script::weights(), errc::unsupported,
                "it holds weights only (torch.save), no program to run; export the model as TorchScript");
  check_refused("\x80\x02}.", errc::unsupported, "it holds weights only (a pickle)");
  check_refused(whole.substr(0, whole.size() / 2), errc::corrupt, "it is a damaged or incomplete TorchScript file");
  check_refused("only a text\n", errc::corrupt, "it is not a TorchScript file");
  check_refused(tests::torch_script::archive{}.add("m/picture.jpg", "x").add("m/version", "3\n").str(),
                errc::unsupported, "not of TorchScript");
}

TEST_CASE("programs that cannot run on pictures are refused with what they take or give") {
  if (!torch_is_here()) return;
  const auto program = [](const std::string& signature, const std::string& result) {
    return tests::torch_script::model("  def forward(self: __torch__.M" + signature + ":\n    return " + result + "\n");
  };
  check_refused(program(", left: Tensor, right: Tensor) -> Tensor", "torch.add(left, right)"), errc::unsupported,
                "its inputs are: left Tensor, right Tensor");
  check_refused(program(", images: List[Tensor]) -> Tensor", "images[0]"), errc::unsupported, "images List[Tensor]");
  check_refused(program(") -> int", "1"), errc::unsupported, "its inputs are: none");
  check_refused(program(", x: Tensor) -> int", "torch.dim(x)"), errc::unsupported, "output0 is of type int");
  check_refused(program(", x: Tensor) -> Tensor", "torch.view(x, [-1, 7])"), errc::unsupported,
                "it does not run on a picture of 6x4 in f32: shape '[-1, 7]' is invalid for input of size 72");
  check_refused(program(", x: Tensor) -> Tensor", "torch.frobnicate(x)"), errc::unsupported, "frobnicate");
  check_refused(tests::torch_script::model("  def run(self: __torch__.M, x: Tensor) -> Tensor:\n    return x\n"),
                errc::unsupported, "no method `forward`");
}

TEST_CASE("a TorchScript model without a size of pictures is refused with the key that says it") {
  if (!torch_is_here()) return;
  const tests::scratch_folder folder;
  const auto loaded = inference::load_model("torch", folder.write("tiny.pt", tests::torch_script::model(doubling)));
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == errc::bad_config);
  CHECK(loaded.error().message.find("preprocess.size") != std::string::npos);
}
