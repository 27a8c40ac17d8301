#pragma once

#include <string>

namespace penstock::engine_module::torchscript {

/// Tells TorchScript from what else people keep in .pt files, and says what to do about it. Throws `failure`.
void check_archive(const std::string& file);

} // namespace penstock::engine_module::torchscript
