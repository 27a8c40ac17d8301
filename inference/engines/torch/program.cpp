#include "inference/engines/torch/program.hpp"

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>
#include <torch/version.h>
#include <utility>

#include "inference/engines/module.hpp"
#include "inference/engines/torch/archive.hpp"
#include "inference/engines/torch/messages.hpp"

namespace penstock::engine_module::torchscript {
namespace {

torch::jit::Module read(const std::string& file, at::Device device) {
  check_archive(file);
  try {
    return torch::jit::load(file, device);
  } catch (const std::exception& e) {
    const auto why = brief(e.what());
    const bool unknown = why.find("Unknown builtin op") != why.npos || why.find("version") != why.npos;
    fail(unknown ? PENSTOCK_UNSUPPORTED : PENSTOCK_CORRUPT, "libtorch " TORCH_VERSION " cannot load it: " + why);
  }
}

/// Exporters write the device that they ran on into the program, for tensors that it makes.
void move_constants(torch::jit::Block* block, const std::string& device) {
  for (auto* node : block->nodes()) {
    for (auto* inner : node->blocks()) move_constants(inner, device);
    if (node->kind() != c10::prim::Constant || node->output()->type()->kind() != c10::TypeKind::DeviceObjType) continue;
    if (node->hasAttribute(c10::attr::value)) node->s_(c10::attr::value, device);
  }
}

std::string image_argument(const torch::jit::Module& module) {
  const auto forward = module.find_method("forward");
  if (!forward) fail(PENSTOCK_UNSUPPORTED, "it has no method `forward`");
  const auto& arguments = forward->function().getSchema().arguments();
  std::string listed;
  std::size_t needed = 0;
  for (std::size_t i = 1; i < arguments.size(); ++i) { // the first is the module itself
    listed += (listed.empty() ? "" : ", ") + arguments[i].name() + " " + arguments[i].type()->repr_str();
    if (!arguments[i].default_value()) ++needed;
  }
  if (needed != 1 || arguments[1].default_value() || !c10::TensorType::get()->isSubtypeOf(*arguments[1].type())) {
    fail(PENSTOCK_UNSUPPORTED,
         "it does not take images as one tensor; its inputs are: " + (listed.empty() ? "none" : listed));
  }
  return arguments[1].name();
}

/// The type that comes nearest, of those that the interface has.
at::ScalarType nearest(at::ScalarType type) {
  if (type == at::kBool) return at::kByte;
  return type == at::kDouble || type == at::kBFloat16 ? at::kFloat : type;
}

void flatten(const at::IValue& value, const std::string& name, std::vector<named_tensor>& to) {
  const auto own_name = name.empty() ? "output" + std::to_string(to.size()) : name;
  if (value.isTensor()) {
    const auto& tensor = value.toTensor();
    to.push_back({own_name, tensor.to(nearest(tensor.scalar_type())).contiguous()});
  } else if (value.isTuple()) {
    for (const auto& element : value.toTupleRef().elements()) flatten(element, {}, to);
  } else if (value.isList()) {
    for (const auto& element : value.toListRef()) flatten(element, {}, to);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      flatten(entry.value(), entry.key().isString() ? entry.key().toStringRef() : std::string{}, to);
    }
  } else if (!value.isNone()) {
    fail(PENSTOCK_UNSUPPORTED, own_name + " is of type " + value.type()->repr_str() +
                                   "; expected are tensors, or tuples, lists or dictionaries of tensors");
  }
}

} // namespace

struct program::state {
  torch::jit::Module plain;
  torch::jit::Module module; ///< what runs
  std::string input_name;
  bool writes_to_images = false; ///< as `x.div_(255)` does: it gets a copy of them

  void use(torch::jit::Module program) {
    module = std::move(program);
    const auto graph = module.get_method("forward").graph();
    writes_to_images = torch::jit::AliasDb{graph}.hasWriters(graph->inputs().at(1));
  }
};

program::program(const std::string& file, at::Device device) : state_{std::make_unique<state>()} {
  auto& plain = state_->plain = read(file, device);
  plain.eval();
  state_->input_name = image_argument(plain);
  for (const auto& part : plain.modules()) {
    for (const auto& method : part.get_methods()) move_constants(method.graph()->block(), device.str());
  }
  restore();
}

program::~program() = default;

const std::string& program::input_name() const noexcept { return state_->input_name; }

at::ScalarType program::type() const {
  for (const auto& weight : state_->plain.parameters()) {
    if (weight.is_floating_point()) return weight.scalar_type();
  }
  return at::kFloat;
}

void program::convert(at::ScalarType type) {
  const auto convert_one = [&](const at::Tensor& tensor) {
    if (tensor.is_floating_point()) tensor.set_data(tensor.to(type));
  };
  for (const auto& weight : state_->plain.parameters()) convert_one(weight);
  for (const auto& buffer : state_->plain.buffers()) convert_one(buffer);
}

void program::optimize() {
  auto whole = state_->plain;
  state_->use(torch::jit::optimize_for_inference(whole));
}

void program::restore() { state_->use(state_->plain); }

std::vector<named_tensor> program::run(const at::Tensor& images) const {
  const c10::InferenceMode guard;
  std::vector<named_tensor> made;
  flatten(state_->module.get_method("forward")({state_->writes_to_images ? images.clone() : images}), {}, made);
  if (made.empty()) fail(PENSTOCK_UNSUPPORTED, "it gives no tensor");
  for (auto& [name, tensor] : made) {
    if (tensor.is_alias_of(images)) tensor = tensor.clone();
  }
  return made;
}

} // namespace penstock::engine_module::torchscript
