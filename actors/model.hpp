#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "inference/engine.hpp"
#include "inference/head.hpp"
#include "inference/image_input.hpp"
#include "kernels/device.hpp"
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
  kernels::device_ptr device;     ///< where everything from preprocess to objects happens; null: in host memory
  std::optional<int> cuda_decode; ///< the GPU that decodes, too
};

/// Loads the model of a topology and checks everything the topology says about it. Errors name the key and both values.
/// Where the model runs on a GPU, `device` is opened; with `on` given, batches go through that one.
[[nodiscard]] core::expected<loaded_model> load_model(const topology::stages_config& stages,
                                                      kernels::device_ptr on = nullptr);

/// The number of a device, 1 of "cuda:1"; empty for devices that are not CUDA's.
[[nodiscard]] std::optional<int> cuda_index(std::string_view device);

} // namespace penstock::actors
