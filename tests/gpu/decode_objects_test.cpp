#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/gpu/gpu.hpp"
#include "tests/unit/kernels/decode_cases.hpp"

using namespace penstock;

namespace {

/// Memory of the device, and copies to and from it that are waited for.
class desk {
 public:
  explicit desk(kernels::device& device) : device_{device}, stream_{device.make_stream().value()} {}

  kernels::stream& stream() { return *stream_; }

  kernels::buffer room_for(std::size_t bytes) {
    auto memory = device_.allocate(std::max<std::size_t>(bytes, 1), core::memory_kind::device);
    REQUIRE(memory);
    return *memory;
  }

  kernels::buffer upload(const void* from, std::size_t bytes) {
    auto pinned = device_.allocate(std::max<std::size_t>(bytes, 1), core::memory_kind::host);
    REQUIRE(pinned);
    std::memcpy(pinned->data(), from, bytes);
    auto memory = room_for(bytes);
    REQUIRE(device_.copy(*stream_, memory.data(), pinned->data(), bytes));
    REQUIRE(device_.synchronize(*stream_));
    return memory;
  }

  void download(void* to, const kernels::buffer& from, std::size_t bytes) {
    auto pinned = device_.allocate(std::max<std::size_t>(bytes, 1), core::memory_kind::host);
    REQUIRE(pinned);
    REQUIRE(device_.copy(*stream_, pinned->data(), from.data(), bytes));
    REQUIRE(device_.synchronize(*stream_));
    std::memcpy(to, pinned->data(), bytes);
  }

 private:
  kernels::device& device_;
  kernels::stream_ptr stream_;
};

std::size_t workspace_bytes(const tests::decode_case& c) {
  const auto items = c.geometries.size();
  return c.objects ? kernels::workspace_bytes(*c.objects, items) : kernels::workspace_bytes(*c.classes, items);
}

/// The case on the device, whose workspace has something in it from before.
tests::host_table on_device(kernels::device& device, const tests::decode_case& c) {
  desk d{device};
  std::vector<kernels::buffer> memory;
  std::vector<core::const_tensor_view> views;
  for (const auto& o : c.outputs) {
    memory.push_back(d.upload(o.bytes.data(), o.bytes.size()));
    views.push_back({memory.back().data(), o.type, o.shape, core::memory_kind::device});
  }
  tests::host_table result{c};
  const auto counts = d.upload(result.counts.data(), result.counts.size() * sizeof(std::uint32_t));
  const auto objects = d.room_for(result.objects.size() * sizeof(kernels::device_object));
  const std::vector<std::byte> rubbish(workspace_bytes(c), std::byte{0xa5});
  const auto workspace = d.upload(rubbish.data(), rubbish.size());
  auto job = c.job(views);
  job.table = {reinterpret_cast<std::uint32_t*>(counts.data()),
               reinterpret_cast<kernels::device_object*>(objects.data()), c.geometries.size(), result.max_objects};
  job.workspace = workspace.span();
  const auto decoded = device.decode(d.stream(), job);
  INFO((decoded ? "" : decoded.error().message));
  REQUIRE(decoded);
  d.download(result.counts.data(), counts, result.counts.size() * sizeof(std::uint32_t));
  d.download(result.objects.data(), objects, result.objects.size() * sizeof(kernels::device_object));
  return result;
}

} // namespace

TEST_CASE("objects that the GPU finds are those of the CPU, in the same order") {
  const auto device = first_gpu();
  if (!device) return;
  for (const auto type : {core::element_type::f32, core::element_type::f16}) {
    for (const auto& c : tests::decode_case_maker{type, 17}.all()) {
      INFO(c.name << ", " << c.geometries.size() << " items");
      tests::host_table expected{c};
      const auto views = c.views();
      auto job = c.job(views);
      job.table = expected.view();
      REQUIRE(kernels::cpu::decode(job));
      const auto found = on_device(*device, c);
      REQUIRE(found.counts == expected.counts);
      for (std::size_t item = 0; item < c.geometries.size(); ++item) {
        for (std::size_t i = 0; i < found.counts[item]; ++i) {
          INFO("item " << item << ", object " << i);
          const auto& f = found.objects[item * found.max_objects + i];
          const auto& e = expected.objects[item * expected.max_objects + i];
          REQUIRE(f.class_index == e.class_index);
          REQUIRE(f.score == Approx(e.score).epsilon(0).margin(1e-3));
          REQUIRE(f.x == Approx(e.x).epsilon(0).margin(1e-3));
          REQUIRE(f.y == Approx(e.y).epsilon(0).margin(1e-3));
          REQUIRE(f.w == Approx(e.w).epsilon(0).margin(1e-3));
          REQUIRE(f.h == Approx(e.h).epsilon(0).margin(1e-3));
        }
      }
    }
  }
}

TEST_CASE("the GPU refuses a workspace that is too small, and a job that does not fit") {
  const auto device = first_gpu();
  if (!device) return;
  desk d{*device};
  const auto cases = tests::decode_case_maker{core::element_type::f32, 1}.all();
  for (const auto* c : {&cases.front(), &*std::ranges::find_if(cases, [](const auto& x) { return !x.objects; })}) {
    auto views = c->views(); // never read
    for (auto& view : views) view.memory = core::memory_kind::device;
    tests::host_table table{*c};
    auto job = c->job(views);
    job.table = table.view();
    const auto workspace = d.room_for(workspace_bytes(*c));
    job.workspace = workspace.span().first(workspace_bytes(*c) - 1);
    CHECK_FALSE(device->decode(d.stream(), job));
    job.workspace = workspace.span();
    job.table.max_objects = 0;
    CHECK_FALSE(device->decode(d.stream(), job));
  }
}
