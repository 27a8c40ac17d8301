#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "inference/engine.hpp"
#include "inference/engine_abi.h"

namespace penstock::inference {

/// Where engine modules are looked for, in order: `PENSTOCK_ENGINE_PATH` (colon-separated), the program's own folder,
/// `../lib/penstock` from there.
[[nodiscard]] std::vector<std::filesystem::path> module_folders();

/// Loads a module and checks what it exports; it stays loaded. Error: `unsupported`, naming the file and what is wrong
/// with it. `name` is the one in the file's name.
[[nodiscard]] core::expected<const penstock_engine*> open_module(const std::filesystem::path& file,
                                                                 std::string_view name);

/// See `engines`; each module is opened when it is asked for something first.
[[nodiscard]] std::vector<std::unique_ptr<const engine>> find_engines(std::span<const std::filesystem::path> folders);

} // namespace penstock::inference
