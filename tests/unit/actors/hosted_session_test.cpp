#include "actors/hosted_session.hpp"

#include <memory>
#include <vector>

#include "kernels/convert.hpp"
#include "tests/catch.hpp"

using namespace penstock;

namespace {

/// The sum and the first value of each picture, the sums in half precision; takes exactly four at a time.
class four_at_a_time final : public inference::session {
 public:
  four_at_a_time() {
    info_.inputs = {{"images", core::element_type::f32, {4, 1, 1, 3}}};
    info_.memory = core::memory_kind::device;
  }
  [[nodiscard]] const inference::model_info& info() const noexcept override { return info_; }

  [[nodiscard]] core::expected<inference::outputs> run(core::const_tensor_view images, void*) const override {
    if (images.shape[0] != 4) return core::fail(core::errc::invalid_argument, "not four");
    struct memory {
      std::vector<std::uint16_t> sums = std::vector<std::uint16_t>(4);
      std::vector<float> firsts;
      std::vector<std::int64_t> shape{4, 1};
    };
    auto kept = std::make_shared<memory>();
    const auto* values = static_cast<const float*>(images.data);
    std::vector<float> sums;
    for (int i = 0; i < 4; ++i) {
      sums.push_back(values[3 * i] + values[3 * i + 1] + values[3 * i + 2]);
      kept->firsts.push_back(values[3 * i]);
    }
    if (kept->firsts[0] < 0) return core::fail(core::errc::engine, "a negative picture");
    kernels::to_f16(sums, kept->sums);
    inference::outputs out;
    out.tensors = {{kept->sums.data(), core::element_type::f16, kept->shape},
                   {kept->firsts.data(), core::element_type::f32, kept->shape}};
    out.owner = kept;
    return out;
  }

 private:
  inference::model_info info_;
};

} // namespace

TEST_CASE("a session on a device takes pictures from host memory and leaves there what belongs to them", "[actors]") {
  const auto session = actors::hosted_session(kernels::make_host_device(), std::make_shared<four_at_a_time>(), 0);
  CHECK(session->info().memory == core::memory_kind::host);
  const auto check = [&](float base) {
    const std::vector<float> pictures{base, 1, 1, base + 1, 2, 2, base + 2, 3, 3};
    const std::vector<std::int64_t> shape{3, 1, 1, 3};
    const auto out = session->run({pictures.data(), core::element_type::f32, shape});
    REQUIRE(out);
    REQUIRE(out->tensors.size() == 2);
    for (const auto& tensor : out->tensors) {
      CHECK(tensor.type == core::element_type::f32);
      CHECK(std::vector<std::int64_t>(tensor.shape.begin(), tensor.shape.end()) == std::vector<std::int64_t>{3, 1});
    }
    const auto* sums = static_cast<const float*>(out->tensors[0].data);
    const auto* firsts = static_cast<const float*>(out->tensors[1].data);
    for (int i = 0; i < 3; ++i) {
      CHECK(sums[i] == base + static_cast<float>(i) + 2 * static_cast<float>(i + 1));
      CHECK(firsts[i] == base + static_cast<float>(i));
    }
  };
  check(4);
  check(8);
}

TEST_CASE("a run that fails on a device says so, and the next one works", "[actors]") {
  const auto session = actors::hosted_session(kernels::make_host_device(), std::make_shared<four_at_a_time>(), 0);
  std::vector<float> pictures{-1, 0, 0};
  const std::vector<std::int64_t> shape{1, 1, 1, 3};
  const core::const_tensor_view images{pictures.data(), core::element_type::f32, shape};
  CHECK(session->run(images).error().code == core::errc::engine);
  pictures[0] = 1;
  CHECK(session->run(images));
}
