#include "inference/heads/outputs_of.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>

namespace penstock::inference {
namespace {

std::optional<output_slot> as_slot(const model_info& model, std::size_t i, core::element_type type, std::size_t rank) {
  const auto& t = model.outputs[i];
  if (t.type != type || t.shape.size() != rank) return std::nullopt;
  const auto known = [](std::int64_t extent) { return extent > 0; };
  if (!std::all_of(t.shape.begin() + 1, t.shape.end(), known)) return std::nullopt;
  return output_slot{i, type, t.shape};
}

} // namespace

std::optional<output_slot> find_output(const model_info& model, core::element_type type, std::size_t rank,
                                       std::optional<std::int64_t> last) {
  for (std::size_t i = 0; i < model.outputs.size(); ++i) {
    auto slot = as_slot(model, i, type, rank);
    if (slot && (!last || slot->shape.back() == *last)) return slot;
  }
  return std::nullopt;
}

std::optional<output_slot> find_output(const model_info& model, std::string_view name, core::element_type type,
                                       std::size_t rank) {
  for (std::size_t i = 0; i < model.outputs.size(); ++i) {
    if (model.outputs[i].name == name) return as_slot(model, i, type, rank);
  }
  return std::nullopt;
}

tl::unexpected<core::error> wrong_outputs(const model_info& model, std::string_view head, std::string_view expected) {
  std::string found;
  for (const auto& t : model.outputs) found += (found.empty() ? "" : ", ") + to_string(t);
  return core::fail(core::errc::bad_config, fmt::format("head {} expects {}; {} has the outputs {}", head, expected,
                                                        model.name, found.empty() ? "none" : found));
}

core::expected<void> check_item(const outputs& batch, const output_slot& slot, std::size_t item) {
  const auto* tensor = slot.index < batch.tensors.size() ? &batch.tensors[slot.index] : nullptr;
  const bool fits = tensor && tensor->type == slot.type && tensor->shape.size() == slot.shape.size() &&
                    std::equal(slot.shape.begin() + 1, slot.shape.end(), tensor->shape.begin() + 1) &&
                    static_cast<std::int64_t>(item) < tensor->shape.front();
  if (!fits) {
    return core::fail(
        core::errc::engine,
        fmt::format("no item {} of {}[{}] in output {}: {}", item, core::to_string(slot.type),
                    fmt::join(slot.shape, ","), slot.index,
                    tensor ? fmt::format("it is {}[{}]", core::to_string(tensor->type), fmt::join(tensor->shape, ","))
                           : "there are only " + std::to_string(batch.tensors.size())));
  }
  return {};
}

} // namespace penstock::inference
