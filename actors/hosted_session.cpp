#include "actors/hosted_session.hpp"

#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/convert.hpp"

namespace penstock::actors {

namespace {

using core::memory_kind;

/// What one run needs on the device; used again by later ones.
struct workspace {
  kernels::stream_ptr stream;
  kernels::buffer outgoing; ///< pinned
  kernels::buffer images;
  kernels::buffer incoming; ///< pinned
};

/// Room for one tensor behind which another may stand.
constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Outputs in host memory.
struct host_outputs {
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<std::vector<std::byte>> tensors;
};

core::expected<void> reserve(kernels::device& on, kernels::buffer& memory, std::size_t bytes, memory_kind kind) {
  if (memory.size_bytes() >= bytes) return {};
  auto more = on.allocate(bytes, kind);
  if (!more) return tl::unexpected{more.error()};
  memory = std::move(*more);
  return {};
}

class uploading final : public inference::session {
 public:
  uploading(kernels::device_ptr device, inference::session_ptr model, std::size_t image_input)
      : device_{std::move(device)}, session_{std::move(model)}, info_{session_->info()},
        fixed_batch_{info_.inputs.at(image_input).shape.at(0)} {
    info_.memory = memory_kind::host;
  }

  [[nodiscard]] const inference::model_info& info() const noexcept override { return info_; }

  [[nodiscard]] core::expected<inference::outputs> run(core::const_tensor_view images,
                                                       void* /*stream*/) const override {
    auto w = take();
    if (!w) return tl::unexpected{w.error()};
    auto out = run_with(*w, images);
    // Nothing may be under way when the buffers are used again.
    if (!out)
      if (auto done = device_->synchronize(*w->stream); !done) return tl::unexpected{done.error()};
    const std::lock_guard lock{mutex_};
    idle_.push_back(std::move(*w));
    return out;
  }

 private:
  [[nodiscard]] core::expected<workspace> take() const {
    {
      const std::lock_guard lock{mutex_};
      if (!idle_.empty()) {
        auto w = std::move(idle_.back());
        idle_.pop_back();
        return w;
      }
    }
    auto stream = device_->make_stream();
    if (!stream) return tl::unexpected{stream.error()};
    return workspace{std::move(*stream), {}, {}, {}};
  }

  [[nodiscard]] core::expected<inference::outputs> run_with(workspace& w, core::const_tensor_view images) const {
    const auto asked = images.shape[0];
    std::vector<std::int64_t> shape{images.shape.begin(), images.shape.end()};
    if (fixed_batch_ > 0) shape[0] = fixed_batch_;
    const auto given = images.size_bytes();
    const auto bytes = given / static_cast<std::size_t>(asked) * static_cast<std::size_t>(shape[0]);
    if (auto there = reserve(*device_, w.outgoing, bytes, memory_kind::host); !there)
      return tl::unexpected{there.error()};
    if (auto there = reserve(*device_, w.images, bytes, memory_kind::device); !there)
      return tl::unexpected{there.error()};
    std::memcpy(w.outgoing.data(), images.data, given);
    std::memset(w.outgoing.data() + given, 0, bytes - given);
    if (auto copied = device_->copy(*w.stream, w.images.data(), w.outgoing.data(), bytes); !copied)
      return tl::unexpected{copied.error()};
    auto there = session_->run({w.images.data(), images.type, shape, device_->info().memory}, w.stream->native());
    if (!there) return tl::unexpected{there.error()};
    return bring_back(w, *there, shape[0], asked);
  }

  [[nodiscard]] core::expected<inference::outputs> bring_back(workspace& w, const inference::outputs& there,
                                                              std::int64_t batch, std::int64_t asked) const {
    std::size_t bytes = 0;
    for (const auto& tensor : there.tensors) bytes += aligned(tensor.size_bytes());
    auto copied = reserve(*device_, w.incoming, bytes, memory_kind::host);
    std::size_t at = 0;
    for (const auto& tensor : there.tensors) {
      if (!copied) break;
      const auto n = tensor.size_bytes();
      copied = device_->copy(*w.stream, w.incoming.data() + at, static_cast<const std::byte*>(tensor.data), n);
      at += aligned(n);
    }
    // Before the outputs' memory goes back to the engine, also after a failure.
    if (auto done = device_->synchronize(*w.stream); !done) return tl::unexpected{done.error()};
    if (!copied) return tl::unexpected{copied.error()};
    return widened(w.incoming.data(), there, batch, asked);
  }

  /// Copies without what belongs to padding; f16 as f32.
  [[nodiscard]] static inference::outputs widened(const std::byte* from, const inference::outputs& there,
                                                  std::int64_t batch, std::int64_t asked) {
    auto kept = std::make_shared<host_outputs>();
    inference::outputs out;
    for (const auto& tensor : there.tensors) {
      auto& shape = kept->shapes.emplace_back(tensor.shape.begin(), tensor.shape.end());
      auto elements = tensor.elements();
      if (batch != asked && !shape.empty() && shape[0] == batch) {
        elements = elements / static_cast<std::size_t>(batch) * static_cast<std::size_t>(asked);
        shape[0] = asked;
      }
      const bool half = tensor.type == core::element_type::f16;
      const auto type = half ? core::element_type::f32 : tensor.type;
      auto& memory = kept->tensors.emplace_back(elements * core::size_of(type));
      if (half)
        kernels::to_f32({reinterpret_cast<const std::uint16_t*>(from), elements},
                        {reinterpret_cast<float*>(memory.data()), elements});
      else
        std::memcpy(memory.data(), from, memory.size());
      from += aligned(tensor.size_bytes());
      out.tensors.push_back({memory.data(), type, {}});
    }
    for (std::size_t i = 0; i < out.tensors.size(); ++i) out.tensors[i].shape = kept->shapes[i];
    out.owner = std::move(kept);
    return out;
  }

  kernels::device_ptr device_;
  inference::session_ptr session_;
  inference::model_info info_;
  std::int64_t fixed_batch_;
  mutable std::mutex mutex_;
  mutable std::vector<workspace> idle_;
};

} // namespace

inference::session_ptr hosted_session(kernels::device_ptr device, inference::session_ptr session,
                                      std::size_t image_input) {
  return std::make_shared<uploading>(std::move(device), std::move(session), image_input);
}

} // namespace penstock::actors
