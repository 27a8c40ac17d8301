#include "inference/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "inference/modules.hpp"

namespace penstock::inference {
namespace {

/// The engines in the order in which they are tried for a file: TorchScript has names of its own.
std::vector<const engine*> order_for(const std::filesystem::path& model) {
  std::vector<const engine*> order{engines().begin(), engines().end()};
  if (model.extension() == ".pt" || model.extension() == ".torchscript") {
    std::ranges::stable_partition(order, [](const engine* e) { return e->name() == "torch"; });
  }
  return order;
}

core::expected<session_ptr> load_with_any(const std::filesystem::path& model, const load_options& options) {
  std::string refusals;
  core::errc code = core::errc::unsupported;
  for (const auto* candidate : order_for(model)) {
    auto loaded = candidate->load(model, options);
    if (loaded) return loaded;
    const auto cause = loaded.error().code;
    // The file itself is at fault: no other engine can do better, and its message would only hide this one.
    if (cause == core::errc::not_found || cause == core::errc::io) return loaded;
    if (code == core::errc::unsupported) code = cause;
    refusals += fmt::format("\n  {}: {}", candidate->name(), loaded.error().message);
  }
  return core::fail(code, fmt::format("no engine can load {}:{}", model.string(), refusals));
}

} // namespace

std::string to_string(const tensor_info& tensor) {
  std::string extents;
  for (auto extent : tensor.shape) {
    if (!extents.empty()) extents += ',';
    extents += extent == dynamic_extent ? std::string{"?"} : std::to_string(extent);
  }
  return fmt::format("{} {}[{}]", tensor.name, core::to_string(tensor.type), extents);
}

std::span<const engine* const> engines() {
  static const auto found = find_engines(module_folders());
  static const auto table = [] {
    std::vector<const engine*> all;
    for (const auto& e : found) all.push_back(e.get());
    return all;
  }();
  return table;
}

core::expected<session_ptr> load_model(std::string_view engine_name, const std::filesystem::path& model,
                                       const load_options& options) {
  if (options.threads < 1) {
    return core::fail(core::errc::bad_config, fmt::format("threads is {}, must be at least 1", options.threads));
  }
  if (engine_name == "auto") return load_with_any(model, options);
  std::string names = "auto";
  for (const auto* candidate : engines()) {
    if (engine_name == candidate->name()) return candidate->load(model, options);
    names += fmt::format(", {}", candidate->name());
  }
  return core::fail(core::errc::bad_config, fmt::format("engine \"{}\" is unknown; there are {}", engine_name, names));
}

} // namespace penstock::inference
