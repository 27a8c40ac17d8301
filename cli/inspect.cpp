#include "cli/inspect.hpp"

#include <fmt/format.h>

#include "actors/model.hpp"
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

topology::problems inspect_model(const topology::loaded& topology) {
  const auto& stages = topology.config.stages;
  const auto model = actors::load_model(stages);
  if (!model) return {place_error(topology, model.error())};
  if (model->info.max_batch >= stages.inference.batch.max) return {};
  return {topology.places.at(
      "stages.inference.batch.max",
      fmt::format("the model takes {} at once, so {} images are {} runs, in parallel where there are several instances",
                  model->info.max_batch == 1 ? "one image" : fmt::format("{} images", model->info.max_batch),
                  stages.inference.batch.max,
                  (stages.inference.batch.max + model->info.max_batch - 1) / model->info.max_batch),
      topology::severity::note)};
}

} // namespace penstock::cli
