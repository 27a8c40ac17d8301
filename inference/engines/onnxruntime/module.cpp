#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "inference/engine_abi.h"
#include "inference/engines/module.hpp"
#include "inference/engines/onnxruntime/providers.hpp"
#include "inference/engines/onnxruntime/session.hpp"

using namespace penstock::engine_module;

namespace {

penstock_code meaning(const Ort::Exception& e) {
  // An operator it does not know (a newer or a custom one) makes a model "invalid" too; only the text tells.
  if (std::string_view{e.what()}.find("No Op registered") != std::string_view::npos) return PENSTOCK_UNSUPPORTED;
  switch (e.GetOrtErrorCode()) {
  case ORT_NO_SUCHFILE: return PENSTOCK_NOT_FOUND;
  case ORT_INVALID_PROTOBUF:
  case ORT_INVALID_GRAPH:
  case ORT_NO_MODEL: return PENSTOCK_CORRUPT;
  case ORT_NOT_IMPLEMENTED: return PENSTOCK_UNSUPPORTED;
  default: return PENSTOCK_FAILED;
  }
}

std::int32_t devices(const penstock_engine_device** list) {
  static const auto absent = onnxruntime_cuda_absent();
  static const std::array<penstock_engine_device, 2> known{{
      {"cuda", absent.empty() ? nullptr : absent.c_str()},
      {"cpu", nullptr},
  }};
  *list = known.data();
  return static_cast<std::int32_t>(known.size());
}

std::int32_t load(const penstock_load_options* given, penstock_session** session, penstock_error* error) {
  return guarded(error, [&] {
    const auto options = options_of(*given);
    try {
      *session = std::make_unique<penstock_session>(options).release();
    } catch (const Ort::Exception& e) {
      fail(meaning(e), e.what());
    }
  });
}

void unload(penstock_session* session) { delete session; }

const penstock_model* model(const penstock_session* session) { return session->model(); }

std::int32_t run(const penstock_session* session, const penstock_tensor* inputs, std::int32_t /*input_count*/,
                 void* stream, penstock_outputs** outputs, penstock_error* error) {
  return guarded(error, [&] { *outputs = session->run(inputs, stream).release(); });
}

const penstock_tensor* tensors(const penstock_outputs* outputs) { return outputs->list.tensors(); }

void release(penstock_outputs* outputs) { delete outputs; }

} // namespace

const penstock_engine* penstock_engine_module(std::uint32_t /*abi*/) {
  static const auto version = Ort::GetVersionString();
  static const penstock_engine engine{PENSTOCK_ENGINE_ABI,
                                      sizeof(penstock_engine),
                                      "onnxruntime",
                                      version.c_str(),
                                      devices,
                                      load,
                                      unload,
                                      model,
                                      run,
                                      tensors,
                                      release};
  return &engine;
}
