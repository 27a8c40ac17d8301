#include "inference/batch_ring.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "inference/batch_ring_lane.hpp"
#include "inference/batch_ring_memory.hpp"

namespace penstock::inference {
namespace {

core::expected<void> bad(std::string message) { return core::fail(core::errc::bad_config, std::move(message)); }

core::expected<void> validate(const batch_ring_config& c) {
  if (!c.device || !c.session || !c.head) return bad("a batch ring needs a device, a session and a head");
  if (c.lanes == 0 || c.batch == 0) return bad(fmt::format("{} lanes of {} images: at least 1", c.lanes, c.batch));
  if (c.staging_bytes > c.most_staging_bytes) {
    return bad(fmt::format("staging_bytes is {}, must be at most {}", c.staging_bytes, c.most_staging_bytes));
  }
  if (auto ok = c.spec.validate(); !ok) return bad(ok.error().message);
  const auto& model = c.session->info();
  const auto& here = c.device->info();
  if (model.memory != here.memory) {
    return bad(fmt::format("{} runs on {}, its batches are made on {}", model.name, model.device, here.name));
  }
  if (c.input.index >= model.inputs.size() || c.input.channels != 3 || c.input.width_px != c.spec.width_px ||
      c.input.height_px != c.spec.height_px || c.input.layout != c.spec.layout || c.input.type != c.spec.type) {
    return bad(fmt::format("{} does not take the images that are made", model.name));
  }
  const auto slots = lane_layout::of(c).slots;
  if (c.batch > slots || c.batch > static_cast<std::size_t>(model.max_batch)) {
    return bad(fmt::format("{} takes at most {} images at once, not {}", model.name,
                           std::min(slots, static_cast<std::size_t>(model.max_batch)), c.batch));
  }
  return {};
}

} // namespace

struct batch_ring::impl {
  explicit impl(batch_ring_config c) : config{std::move(c)}, memory{*config.device} {}

  batch_ring_config config;
  ring_memory memory;
  std::vector<std::unique_ptr<ring_lane>> lanes;

  [[nodiscard]] core::expected<ring_lane*> lane(std::size_t i) const {
    if (i < lanes.size()) return lanes[i].get();
    return core::fail(core::errc::invalid_argument, fmt::format("lane {} of {}", i, lanes.size()));
  }
};

batch_ring::batch_ring(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
batch_ring::~batch_ring() = default;

batch_ring::memory_plan batch_ring::plan(const batch_ring_config& config) {
  const auto lane = lane_layout::of(config);
  return {config.lanes * (lane.tensor + lane.table + lane.workspace + config.staging_bytes),
          config.lanes * (std::max(lane.table, lane.outputs) + config.staging_bytes)};
}

core::expected<std::unique_ptr<batch_ring>> batch_ring::make(batch_ring_config config) {
  if (auto ok = validate(config); !ok) return tl::unexpected{std::move(ok).error()};
  auto state = std::make_unique<impl>(std::move(config));
  const auto& c = state->config;
  const auto needed = plan(c);
  const auto free = c.device->free_bytes();
  if (!free) return tl::unexpected{free.error()};
  const auto place =
      fmt::format("{} lanes of {} images need {} bytes of {} ({} are free) and {} of pinned memory", c.lanes, c.batch,
                  needed.device_bytes, c.device->info().name, *free, needed.pinned_bytes);
  for (std::size_t i = 0; i < c.lanes; ++i) {
    auto lane = ring_lane::make(c, state->memory);
    if (!lane) return core::fail(place, std::move(lane).error());
    state->lanes.push_back(*std::move(lane));
  }
  return std::unique_ptr<batch_ring>{new batch_ring{std::move(state)}};
}

std::size_t batch_ring::lanes() const noexcept { return impl_->lanes.size(); }

std::size_t batch_ring::batch() const noexcept { return impl_->config.batch; }

std::size_t batch_ring::device_bytes() const noexcept { return impl_->memory.device_bytes(); }

std::size_t batch_ring::pinned_bytes() const noexcept { return impl_->memory.pinned_bytes(); }

core::expected<void> batch_ring::start(std::size_t lane, std::vector<core::frame_ptr> frames,
                                       std::function<void()> done) {
  const auto at = impl_->lane(lane);
  if (!at) return tl::unexpected{at.error()};
  if (frames.empty() || frames.size() > batch()) {
    return core::fail(core::errc::invalid_argument, fmt::format("{} images, must be 1 to {}", frames.size(), batch()));
  }
  return (*at)->start(std::move(frames), std::move(done));
}

core::expected<batch_result> batch_ring::collect(std::size_t lane) {
  const auto at = impl_->lane(lane);
  if (!at) return tl::unexpected{at.error()};
  return (*at)->collect();
}

} // namespace penstock::inference
