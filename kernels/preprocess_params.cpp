#include "kernels/preprocess_params.hpp"

#include <algorithm>
#include <bit>

#include "kernels/preprocess_batch.hpp"
#include "kernels/sampled_frame.hpp"
#include "kernels/sampling_strip.hpp"

namespace penstock::kernels {

namespace {

sampler sampler_of(const sampled_frame& frame, bool strips) noexcept {
  if (takes_means(frame)) return sampler::means;
  if (!strips || !strip::serves(frame)) return sampler::bilinear;
  return frame.kind == sample_class::pairs ? sampler::strip_pairs : sampler::strip_planes;
}

bool is_strip(sampler how) noexcept { return how == sampler::strip_pairs || how == sampler::strip_planes; }

} // namespace

preprocess_params make_preprocess_params(const preprocess_batch& batch, std::size_t begin) noexcept {
  const auto& spec = batch.spec;
  const auto element_bytes = core::size_of(spec.type);
  const auto slot_bytes =
      3 * static_cast<std::size_t>(spec.width_px) * static_cast<std::size_t>(spec.height_px) * element_bytes;
  preprocess_params job;
  job.slots = static_cast<std::byte*>(batch.slots.data) + (batch.first + begin) * slot_bytes;
  job.width = spec.width_px;
  job.height = spec.height_px;
  job.type = spec.type;
  job.layout = spec.layout;
  const auto in_groups_of = [&](std::size_t pixels) {
    return static_cast<std::size_t>(spec.width_px) % pixels == 0 &&
           reinterpret_cast<std::uintptr_t>(job.slots) % (pixels * element_bytes) == 0;
  };
  job.paired = in_groups_of(2);
  const bool strips = in_groups_of(strip::pixels) && slot_bytes < (std::uint64_t{1} << 32U);
  job.filled = static_cast<std::int32_t>(std::min<std::size_t>(max_frames, batch.frames.size() - begin));
  for (std::size_t i = 0; i < static_cast<std::size_t>(job.filled); ++i) {
    job.frames[i] = make_sampled_frame(spec, batch.frames[begin + i]);
    job.samplers[i] = sampler_of(job.frames[i], strips);
  }
  return job;
}

void take_launch(preprocess_params& job, std::uint64_t& left) noexcept {
  const auto first = static_cast<std::size_t>(std::countr_zero(left));
  job.how = job.samplers[first];
  job.colors = job.frames[first].colors;
  job.count = 0;
  for (auto rest = left; rest != 0; rest &= rest - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(rest));
    if (job.samplers[i] != job.how || (is_strip(job.how) && job.frames[i].colors != job.colors)) continue;
    job.items[job.count++] = static_cast<std::uint8_t>(i);
    left &= ~(std::uint64_t{1} << i);
  }
}

} // namespace penstock::kernels
