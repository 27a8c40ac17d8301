#include "inference/engines/torch/session.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <algorithm>
#include <array>
#include <utility>

#include "inference/engines/torch/messages.hpp"

using penstock::engine_module::fail;
using penstock::engine_module::type_name;
using penstock::engine_module::torchscript::brief;

namespace {

penstock_type to_abi(at::ScalarType type) {
  constexpr std::array<std::pair<at::ScalarType, penstock_type>, 6> types{{{at::kFloat, PENSTOCK_F32},
                                                                           {at::kHalf, PENSTOCK_F16},
                                                                           {at::kChar, PENSTOCK_I8},
                                                                           {at::kByte, PENSTOCK_U8},
                                                                           {at::kInt, PENSTOCK_I32},
                                                                           {at::kLong, PENSTOCK_I64}}};
  for (const auto& [theirs, ours] : types) {
    if (theirs == type) return ours;
  }
  fail(PENSTOCK_UNSUPPORTED, std::string{"it gives elements of type "} + at::toString(type));
}

} // namespace

penstock_session::penstock_session(const penstock_load_options& options) : threads_{std::max(options.threads, 1)} {
  using namespace penstock::engine_module::torchscript;
  if (options.width_px < 1 || options.height_px < 1) {
    fail(PENSTOCK_INVALID, "TorchScript does not tell how large its pictures are, so preprocess.size must say it");
  }
  try {
    if (std::string_view{options.device} == "cuda") gpu_ = make_gpu(options.device_index);
    if (gpu_) device_ = gpu_->device();
    if (!gpu_) set_threads();
    program_ = std::make_unique<program>(options.model, device_);
    choose_type(options.precision);
    description.inputs.push_back({program_->input_name(), to_abi(type_), {-1, 3, options.height_px, options.width_px}});
    description.memory = gpu_ ? PENSTOCK_DEVICE : PENSTOCK_HOST;
    choose_program();
    description.detail = type_name(to_abi(type_));
    if (gpu_) prepare_gpu(options);
    description.finish();
  } catch (const std::exception& e) {
    fail(PENSTOCK_UNSUPPORTED, brief(e.what()));
  }
}

void penstock_session::choose_type(int precision) {
  if (precision != PENSTOCK_PRECISION_MODEL) {
    type_ = precision == PENSTOCK_PRECISION_F16 ? at::kHalf : at::kFloat;
    program_->convert(type_);
    return;
  }
  type_ = program_->type();
  if (type_ != at::kFloat && type_ != at::kHalf) {
    fail(PENSTOCK_UNSUPPORTED, std::string{"its weights are of type "} + at::toString(type_) +
                                   "; set stages.inference.precision to fp32 or fp16");
  }
}

void penstock_session::choose_program() {
  try {
    program_->optimize();
    describe_outputs();
    return;
  } catch (const std::exception&) {
    program_->restore(); // which says what is wrong, if it does not run either
  }
  try {
    describe_outputs();
  } catch (const std::exception& e) {
    const auto& shape = description.inputs.front().shape;
    fail(PENSTOCK_UNSUPPORTED, "it does not run on a picture of " + std::to_string(shape[3]) + "x" +
                                   std::to_string(shape[2]) + " in " + type_name(to_abi(type_)) + ": " +
                                   brief(e.what()));
  }
}

void penstock_session::describe_outputs() {
  auto shape = description.inputs.front().shape;
  shape[0] = 1;
  description.outputs.clear();
  for (const auto& [name, tensor] : program_->run(at::zeros(shape, at::TensorOptions{device_}.dtype(type_)))) {
    auto extents = tensor.sizes().vec();
    if (!extents.empty() && extents[0] == 1) extents[0] = -1;
    description.outputs.push_back({name, to_abi(tensor.scalar_type()), std::move(extents)});
  }
}

void penstock_session::prepare_gpu(const penstock_load_options& options) {
  auto shape = description.inputs.front().shape;
  shape[0] = std::max(options.max_batch, 1);
  if (options.progress != nullptr) {
    const auto text = "torch: warming up with batches of " + std::to_string(shape[0]);
    options.progress(options.progress_context, text.c_str());
  }
  const auto model = [this](const at::Tensor& images) { return forward(images); };
  try {
    static_cast<void>(model(at::zeros(shape, at::TensorOptions{device_}.dtype(type_))));
  } catch (const std::exception&) {
    shape[0] = 1; // it was exported for single pictures, as the caller will find out
  }
  description.detail += ", " + gpu_->prepare(model, shape, type_);
}

void penstock_session::set_threads() const {
  if (at::get_num_threads() != threads_) at::set_num_threads(threads_);
}

std::vector<at::Tensor> penstock_session::forward(const at::Tensor& images) const {
  auto made = program_->run(images);
  if (const auto known = description.outputs.size(); made.size() != known) {
    fail(PENSTOCK_FAILED,
         "it gave " + std::to_string(made.size()) + " tensors, but " + std::to_string(known) + " when it was loaded");
  }
  std::vector<at::Tensor> tensors;
  tensors.reserve(made.size());
  for (auto& one : made) tensors.push_back(std::move(one.tensor));
  return tensors;
}

at::Tensor penstock_session::images_of(const penstock_tensor* inputs, int count) const {
  const auto& wanted = description.inputs.front();
  bool fits = count == 1 && inputs->data != nullptr && inputs->type == wanted.type && inputs->rank == 4 &&
              inputs->memory == description.memory && inputs->shape[0] > 0;
  for (std::size_t d = 1; fits && d < 4; ++d) {
    fits = inputs->shape[d] == wanted.shape[d];
  }
  if (!fits) fail(PENSTOCK_INVALID, "the images do not fit the input " + wanted.name);
  // libtorch takes them as writable memory, but `program` sees to it that nothing writes there.
  return at::from_blob(const_cast<void*>(inputs->data), at::IntArrayRef{inputs->shape, 4},
                       at::TensorOptions{device_}.dtype(type_));
}

std::unique_ptr<penstock_outputs> penstock_session::run(const penstock_tensor* inputs, int count, void* stream) const {
  try {
    const auto images = images_of(inputs, count);
    auto outputs = std::make_unique<penstock_outputs>();
    if (gpu_) {
      outputs->owners = gpu_->run([this](const at::Tensor& batch) { return forward(batch); }, images, stream);
    } else {
      set_threads();
      outputs->owners = forward(images);
    }
    outputs->list.reserve(outputs->owners.size());
    for (const auto& tensor : outputs->owners) {
      outputs->list.add(tensor.data_ptr(), to_abi(tensor.scalar_type()), description.memory, tensor.sizes().vec());
    }
    return outputs;
  } catch (const std::exception& e) {
    fail(PENSTOCK_FAILED, brief(e.what()));
  }
}
