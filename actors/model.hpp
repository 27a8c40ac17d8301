#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "inference/engine.hpp"
#include "inference/head.hpp"
#include "inference/image_input.hpp"
#include "kernels/preprocess.hpp"
#include "topology/config.hpp"

namespace penstock::actors {

/// A topology's model, loaded, tried and fitted with what stands around it.
struct loaded_model {
  inference::session_ptr session;
  inference::model_info info; ///< as probed
  inference::image_input input;
  inference::head_ptr head;
  std::shared_ptr<const std::vector<std::string>> labels;
  kernels::preprocess_spec spec;
};

/// Loads the model of a topology and checks everything the topology says about it. Errors name the key and both values.
[[nodiscard]] core::expected<loaded_model> load_model(const topology::stages_config& stages);

} // namespace penstock::actors
