#include "actors/device_trial.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace penstock::actors {

namespace {

/// A session on a device that takes images from host memory, one run at a time. Only the shapes of its outputs mean
/// anything to the host.
class trial_session final : public inference::session {
 public:
  trial_session(kernels::device& device, kernels::stream& stream, const inference::session& model,
                const inference::image_input& input)
      : device_{device}, stream_{stream}, session_{model}, fixed_batch_{
                                                               model.info().inputs.at(input.index).shape.at(0)} {}

  [[nodiscard]] const inference::model_info& info() const noexcept override { return session_.info(); }

  [[nodiscard]] core::expected<inference::outputs> run(core::const_tensor_view images,
                                                       void* /*stream*/) const override {
    const auto asked = images.shape[0];
    std::vector<std::int64_t> shape{images.shape.begin(), images.shape.end()};
    const auto image_bytes = images.size_bytes() / static_cast<std::size_t>(asked);
    if (fixed_batch_ > 0) shape[0] = fixed_batch_;
    const auto bytes = image_bytes * static_cast<std::size_t>(shape[0]);
    auto host = device_.allocate(bytes, core::memory_kind::host);
    if (!host) return tl::unexpected{host.error()};
    auto there = device_.allocate(bytes, core::memory_kind::device);
    if (!there) return tl::unexpected{there.error()};
    std::memset(host->data(), 0, bytes);
    std::memcpy(host->data(), images.data, images.size_bytes());
    if (auto copied = device_.copy(stream_, there->data(), host->data(), bytes); !copied)
      return tl::unexpected{copied.error()};
    auto outputs = session_.run({there->data(), images.type, shape, device_.info().memory}, stream_.native());
    // Also after a failure: nothing may be under way when the buffers go.
    if (auto done = device_.synchronize(stream_); !done) return tl::unexpected{done.error()};
    if (outputs && shape[0] != asked) cut(*outputs, shape[0], asked);
    return outputs;
  }

 private:
  struct cut_outputs {
    std::shared_ptr<const void> owner;
    std::vector<std::vector<std::int64_t>> shapes;
  };

  /// Outputs of a padded batch as those of the images asked for.
  static void cut(inference::outputs& all, std::int64_t batch, std::int64_t asked) {
    auto kept = std::make_shared<cut_outputs>();
    kept->owner = all.owner;
    for (const auto& tensor : all.tensors) {
      auto& shape = kept->shapes.emplace_back(tensor.shape.begin(), tensor.shape.end());
      if (!shape.empty() && shape[0] == batch) shape[0] = asked;
    }
    for (std::size_t i = 0; i < all.tensors.size(); ++i) all.tensors[i].shape = kept->shapes[i];
    all.owner = std::move(kept);
  }

  kernels::device& device_;
  kernels::stream& stream_;
  const inference::session& session_;
  std::int64_t fixed_batch_;
};

} // namespace

core::expected<inference::model_info> probe_on(kernels::device& device, const inference::session_ptr& session,
                                               const inference::image_input& input) {
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected{stream.error()};
  return inference::probe(trial_session{device, **stream, *session, input}, input);
}

} // namespace penstock::actors
