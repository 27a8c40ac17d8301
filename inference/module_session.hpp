#pragma once

#include <filesystem>

#include "core/error.hpp"
#include "inference/engine.hpp"
#include "inference/engine_abi.h"

namespace penstock::inference {

/// Loads a model with a module, on the device of the options: `NAME` or `NAME:INDEX` of `info.devices`. With "auto" it
/// is the first of them that can, a GPU only where the program can use it too; what one refused is told to `progress`
/// and in `model_info::detail`. Errors: those of `engine::load`.
[[nodiscard]] core::expected<session_ptr> load_on_a_device(const penstock_engine& table, const engine_info& info,
                                                           const std::filesystem::path& model,
                                                           const load_options& options);

} // namespace penstock::inference
