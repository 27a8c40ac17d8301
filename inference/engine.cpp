#include "inference/engine.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "inference/engines/engines.hpp"

namespace penstock::inference {

std::string to_string(const tensor_info& tensor) {
  std::string extents;
  for (auto extent : tensor.shape) {
    if (!extents.empty()) extents += ',';
    extents += extent == dynamic_extent ? std::string{"?"} : std::to_string(extent);
  }
  return fmt::format("{} {}[{}]", tensor.name, core::to_string(tensor.type), extents);
}

std::span<const engine* const> engines() {
  static const std::array<const engine*, 2> table{
      &onnxruntime_engine(),
      &opencv_engine(),
  };
  return table;
}

core::expected<session_ptr> load_model(std::string_view engine_name, const std::filesystem::path& model,
                                       const load_options& options) {
  if (options.threads < 1) {
    return core::fail(core::errc::bad_config, fmt::format("threads is {}, must be at least 1", options.threads));
  }
  std::string names = "auto";
  std::string refusals;
  core::errc code = core::errc::unsupported;
  for (const auto* candidate : engines()) {
    const auto info = candidate->info();
    names += ", " + info.name;
    if (engine_name == info.name) return candidate->load(model, options);
    if (engine_name != "auto") continue;
    if (options.device != "auto" && std::ranges::find(info.devices, options.device) == info.devices.end()) {
      refusals += fmt::format("\n  {}: {}", info.name,
                              info.absent.empty() ? fmt::format("no device \"{}\"", options.device) : info.absent);
      continue;
    }
    auto loaded = candidate->load(model, options);
    if (loaded) return loaded;
    const auto cause = loaded.error().code;
    // The file itself is at fault: no other engine can do better, and its message would only hide this one.
    if (cause == core::errc::not_found || cause == core::errc::io) return loaded;
    if (refusals.empty() || code == core::errc::unsupported) code = cause;
    refusals += fmt::format("\n  {}: {}", info.name, loaded.error().message);
  }
  if (engine_name != "auto") {
    return core::fail(core::errc::bad_config,
                      fmt::format("engine \"{}\" is unknown; there are {}", engine_name, names));
  }
  return core::fail(code, fmt::format("no engine can load {}:{}", model.string(), refusals));
}

} // namespace penstock::inference
