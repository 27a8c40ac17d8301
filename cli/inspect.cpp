#include "cli/inspect.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <system_error>

#include "actors/model.hpp"
#include "actors/stages.hpp"
#include "core/cores.hpp"
#include "kernels/device.hpp"
#include "media/source.hpp"
#include "media/synthetic.hpp"
#include "topology/expand.hpp"

namespace penstock::cli {

topology::problem place_error(const topology::loaded& topology, const core::error& error) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_.";
  const auto end = error.message.find(": ");
  const auto path = error.message.substr(0, end);
  if (end == std::string::npos || path.find_first_not_of(letters) != std::string::npos) {
    return topology.places.at("", error.message);
  }
  return topology.places.at(path, error.message.substr(end + 2));
}

topology::problems inspect_streams(const topology::loaded& topology) {
  topology::problems found;
  for (std::size_t i = 0; i < topology.config.streams.size(); ++i) {
    const auto& uri = topology.config.streams[i].uri;
    const auto kind = topology::classify(uri);
    const auto refuse = [&](const core::error& e) {
      found.push_back(topology.places.at(fmt::format("streams.{}.uri", i), e.message));
    };
    if (kind == topology::source_kind::synthetic) {
      if (const auto options = media::parse_synthetic_uri(uri); !options) refuse(options.error());
    } else if (kind == topology::source_kind::network) {
      if (const auto traits = media::describe_source(uri); !traits) refuse(traits.error());
    }
  }
  return found;
}

namespace {

/// A decoder's own surfaces for H.264 or HEVC at 1080p, level 4.1: references, reordering, and what is being decoded.
constexpr std::size_t surfaces_per_decoder = 10;
constexpr std::size_t frame_bytes = std::size_t{1920} * 1088 * 3 / 2;

topology::problems note_batches(const topology::loaded& topology, const actors::loaded_model& model) {
  const auto wanted = topology.config.stages.inference.batch.max;
  const auto most = model.info.max_batch;
  if (most >= wanted) return {};
  return {topology.places.at(
      "stages.inference.batch.max",
      fmt::format("the model takes {} at once, so {} images are {} runs, in parallel where there are several instances",
                  most == 1 ? "one image" : fmt::format("{} images", most), wanted, (wanted + most - 1) / most),
      topology::severity::note)};
}

gpu_memory memory_of(const topology::stages_config& stages, const actors::loaded_model& model) {
  const auto sizes = actors::sizes_on_device(stages, model, core::usable_cores());
  const auto plan = inference::batch_ring::plan(actors::ring_config_of(model, sizes));
  gpu_memory memory;
  if (model.device) memory.device = model.device->info().name;
  memory.lanes = sizes.instances;
  memory.batch = sizes.batch;
  memory.ring_bytes = plan.device_bytes;
  memory.pinned_bytes = plan.pinned_bytes;
  std::error_code gone; // it was loaded a moment ago; a size that cannot be asked any more is 0
  memory.weights_bytes = static_cast<std::size_t>(std::filesystem::file_size(stages.inference.model, gone));
  if (gone) memory.weights_bytes = 0;
  memory.decoders = sizes.decoders;
  if (stages.decode.device != topology::device::cpu)
    memory.decode_bytes = (sizes.decoders * surfaces_per_decoder + sizes.credits) * frame_bytes;
  return memory;
}

std::string mebibytes(std::size_t bytes) { return fmt::format("{} MiB", (bytes + (1U << 20U) - 1) >> 20U); }

} // namespace

std::string to_string(const gpu_memory& memory) {
  const auto plural = [](std::size_t n, const char* what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  auto text = fmt::format("batch ring {} ({} × {}), pinned {}, weights ≥ {}", mebibytes(memory.ring_bytes),
                          plural(memory.lanes, "lane"), plural(memory.batch, "image"), mebibytes(memory.pinned_bytes),
                          mebibytes(memory.weights_bytes));
  if (memory.decode_bytes > 0) {
    text += fmt::format(", decoding about {} (1080p, {} at the same time)", mebibytes(memory.decode_bytes),
                        memory.decoders);
  }
  if (!memory.device.empty()) return text + " of " + memory.device;
  return text +
         (kernels::cuda().devices.empty() ? "; there is no GPU here" : "; the model does not run on the GPU here");
}

model_findings inspect_model(const topology::loaded& topology) {
  const auto& stages = topology.config.stages;
  const auto model = actors::load_model(stages);
  if (!model) return {{place_error(topology, model.error())}, {}};
  model_findings found{note_batches(topology, *model), {}};
  if (stages.inference.device != topology::device::cpu) found.memory = memory_of(stages, *model);
  return found;
}

} // namespace penstock::cli
