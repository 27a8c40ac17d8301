#pragma once

#include <string>
#include <vector>

#include "inference/engine.hpp"

namespace penstock::tests {

/// The engines here that read ONNX; each behaves the same.
inline std::vector<std::string> onnx_engines() {
  std::vector<std::string> names;
  for (const auto* engine : inference::engines()) {
    if (engine->name() != "torch" && engine->info().absent.empty()) names.emplace_back(engine->name());
  }
  return names;
}

} // namespace penstock::tests
