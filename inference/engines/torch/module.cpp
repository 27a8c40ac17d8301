#include <array>
#include <memory>
#include <torch/version.h>

#include "inference/engines/torch/session.hpp"

namespace module = penstock::engine_module;

namespace {

std::int32_t devices(const penstock_engine_device** list) {
  static const auto& absent = module::torchscript::gpu_absent();
  static const std::array<penstock_engine_device, 2> known{
      {{"cuda", absent.empty() ? nullptr : absent.c_str()}, {"cpu", nullptr}}};
  *list = known.data();
  return static_cast<std::int32_t>(known.size());
}

std::int32_t load(const penstock_load_options* given, penstock_session** session, penstock_error* error) {
  return module::guarded(error,
                         [&] { *session = std::make_unique<penstock_session>(module::options_of(*given)).release(); });
}

void unload(penstock_session* session) { delete session; }

const penstock_model* model(const penstock_session* session) { return session->description.model(); }

std::int32_t run(const penstock_session* session, const penstock_tensor* inputs, std::int32_t count, void* stream,
                 penstock_outputs** outputs, penstock_error* error) {
  return module::guarded(error, [&] { *outputs = session->run(inputs, count, stream).release(); });
}

const penstock_tensor* tensors(const penstock_outputs* outputs) { return outputs->list.tensors(); }

void release(penstock_outputs* outputs) { delete outputs; }

} // namespace

const penstock_engine* penstock_engine_module(std::uint32_t /*abi*/) {
  static const penstock_engine engine{PENSTOCK_ENGINE_ABI,
                                      sizeof(penstock_engine),
                                      "torch",
                                      TORCH_VERSION,
                                      devices,
                                      load,
                                      unload,
                                      model,
                                      run,
                                      tensors,
                                      release};
  return &engine;
}
