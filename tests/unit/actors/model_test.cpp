#include "actors/model.hpp"

#include <filesystem>

#include "actors/device_trial.hpp"
#include "tests/catch.hpp"

using namespace penstock;

namespace {

/// Takes exactly `batch` images (any number where it is -1) and gives two numbers for each.
class counting_session final : public inference::session {
 public:
  explicit counting_session(std::int64_t batch) : batch_{batch} {
    info_.name = "counting";
    info_.inputs = {{"images", core::element_type::f32, {batch, 3, 4, 4}}};
    info_.outputs = {{"pairs", core::element_type::f32, {batch, -1}}};
    info_.max_batch = batch < 0 ? inference::any_batch : static_cast<int>(batch);
  }

  [[nodiscard]] const inference::model_info& info() const noexcept override { return info_; }

  [[nodiscard]] core::expected<inference::outputs> run(core::const_tensor_view images, void*) const override {
    if (batch_ > 0 && images.shape[0] != batch_) return core::fail(core::errc::invalid_argument, "another batch");
    for (std::size_t i = 0; i < images.elements(); ++i)
      if (static_cast<const float*>(images.data)[i] != 0) return core::fail(core::errc::engine, "not blank");
    auto kept = std::make_shared<std::pair<std::vector<float>, std::vector<std::int64_t>>>();
    kept->first.resize(static_cast<std::size_t>(images.shape[0]) * 2);
    kept->second = {images.shape[0], 2};
    inference::outputs out;
    out.tensors = {{kept->first.data(), core::element_type::f32, kept->second}};
    out.owner = kept;
    return out;
  }

 private:
  std::int64_t batch_;
  inference::model_info info_;
};

} // namespace

TEST_CASE("a model on a device is tried with blank images of its memory, in batches as it takes them", "[actors]") {
  const auto device = kernels::make_host_device();
  const inference::image_input input{0, core::tensor_layout::nchw, core::element_type::f32, 3, 4, 4};
  for (const std::int64_t batch : {-1, 1, 4}) {
    CAPTURE(batch);
    const auto info = actors::probe_on(*device, std::make_shared<counting_session>(batch), input);
    INFO((info ? "" : info.error().message));
    REQUIRE(info);
    CHECK(info->max_batch == (batch < 0 ? inference::any_batch : static_cast<int>(batch)));
    CHECK(info->outputs.at(0).shape == std::vector<std::int64_t>{batch, 2});
  }
}

TEST_CASE("the number of a CUDA device is read from its name", "[actors]") {
  CHECK(actors::cuda_index("cuda:0") == 0);
  CHECK(actors::cuda_index("cuda:11") == 11);
  CHECK(actors::cuda_index("cuda") == 0);
  CHECK_FALSE(actors::cuda_index("cpu"));
  CHECK_FALSE(actors::cuda_index("host"));
  CHECK_FALSE(actors::cuda_index("cuda:"));
  CHECK_FALSE(actors::cuda_index("cuda:1x"));
}

TEST_CASE("frames are not decoded on a GPU for a model that runs on the CPU", "[actors]") {
  topology::stages_config stages;
  stages.inference.model = "configs/models/demo-person.onnx";
  stages.inference.device = topology::device::cpu;
  stages.postprocess.head = "yolov8";
  const auto works = actors::load_model(stages);
  if (!works) {
    WARN("skipped: " << works.error().message);
    return;
  }
  CHECK_FALSE(works->device);
  CHECK_FALSE(works->cuda_decode);
  stages.decode.device = topology::device::cuda;
  const auto refused = actors::load_model(stages);
  REQUIRE(!refused);
  CHECK(refused.error().code == core::errc::bad_config);
  CHECK(refused.error().message.starts_with("stages.decode.device: found 'cuda', but frames"));
}
