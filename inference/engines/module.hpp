#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/engine_abi.h"

/// What the modules of this folder share: errors and storage behind the C interface. Headers only, so a module links
/// its own library and nothing else.
namespace penstock::engine_module {

/// Thrown inside a module; `guarded` turns it into a code and a message at the boundary.
struct failure {
  penstock_code code = PENSTOCK_FAILED;
  std::string message;
};

[[noreturn]] inline void fail(penstock_code code, std::string message) { throw failure{code, std::move(message)}; }

/// Writes a message, cut where it is too long.
inline void write(penstock_error* error, std::string_view message) noexcept {
  const auto size = std::min(message.size(), sizeof error->message - 1);
  std::memcpy(error->message, message.data(), size);
  error->message[size] = '\0';
}

/// Runs the body of a function of the interface: nothing it throws goes on.
template <class Body>
std::int32_t guarded(penstock_error* error, Body body) noexcept {
  try {
    body();
    return PENSTOCK_OK;
  } catch (const failure& f) {
    write(error, f.message);
    return f.code;
  } catch (const std::exception& e) { // bad_alloc included
    write(error, e.what());
  } catch (...) {
    write(error, "an exception of an unknown kind");
  }
  return PENSTOCK_FAILED;
}

/// The caller's options, zero where its structure is shorter than this one.
[[nodiscard]] inline penstock_load_options options_of(const penstock_load_options& given) {
  penstock_load_options options{};
  std::memcpy(&options, &given, std::min<std::size_t>(given.size_bytes, sizeof options));
  return options;
}

/// An element type as messages show it.
[[nodiscard]] inline std::string type_name(std::int32_t type) {
  constexpr const char* names[] = {"f32", "f16", "i8", "u8", "i32", "i64"};
  return type >= 0 && type < 6 ? names[type] : "type " + std::to_string(type);
}

/// An input or output with its storage; extents that the model leaves open are -1.
struct tensor_description {
  std::string name;
  std::int32_t type = PENSTOCK_F32;
  std::vector<std::int64_t> shape;
};

/// Storage of a `penstock_model`. Fill it, then `finish` it; it must stay where it is from then on.
class model_description {
 public:
  std::vector<tensor_description> inputs;
  std::vector<tensor_description> outputs;
  std::int32_t memory = PENSTOCK_HOST;
  std::string detail;

  model_description() = default;
  model_description(const model_description&) = delete;
  model_description& operator=(const model_description&) = delete;

  void finish() {
    describe(inputs, input_infos_);
    describe(outputs, output_infos_);
    model_ = {sizeof model_,
              static_cast<std::int32_t>(inputs.size()),
              static_cast<std::int32_t>(outputs.size()),
              input_infos_.data(),
              output_infos_.data(),
              memory,
              detail.c_str()};
  }

  [[nodiscard]] const penstock_model* model() const noexcept { return &model_; }

 private:
  static void describe(const std::vector<tensor_description>& from, std::vector<penstock_tensor_info>& to) {
    to.clear();
    for (const auto& t : from) {
      to.push_back({t.name.c_str(), t.type, static_cast<std::int32_t>(t.shape.size()), t.shape.data()});
    }
  }

  std::vector<penstock_tensor_info> input_infos_;
  std::vector<penstock_tensor_info> output_infos_;
  penstock_model model_{};
};

/// Storage of the tensors of `penstock_outputs`.
class output_list {
 public:
  output_list() = default;
  output_list(const output_list&) = delete;
  output_list& operator=(const output_list&) = delete;

  void reserve(std::size_t n) {
    shapes_.reserve(n);
    tensors_.reserve(n);
  }

  void add(const void* data, std::int32_t type, std::int32_t memory, std::vector<std::int64_t> shape) {
    // A vector keeps its elements where they are when it moves, so growth of the outer one does no harm.
    const auto& kept = shapes_.emplace_back(std::move(shape));
    tensors_.push_back({data, type, memory, static_cast<std::int32_t>(kept.size()), kept.data()});
  }

  [[nodiscard]] const penstock_tensor* tensors() const noexcept { return tensors_.data(); }

 private:
  std::vector<std::vector<std::int64_t>> shapes_;
  std::vector<penstock_tensor> tensors_;
};

/// Why there is no CUDA device on this machine; empty where there is one. Asks the driver, not a toolkit.
[[nodiscard]] inline std::string cuda_absent() {
  static const std::string reason = []() -> std::string {
    auto* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); // stays: others use it too
    if (driver == nullptr) return "no NVIDIA driver here (libcuda.so.1 is not found)";
    const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
    const auto count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
    if (init == nullptr || count == nullptr) return "the NVIDIA driver here is damaged (libcuda.so.1)";
    if (const auto code = init(0); code != 0) {
      return "the NVIDIA driver does not start (cuInit: error " + std::to_string(code) + ")";
    }
    int devices = 0;
    return count(&devices) == 0 && devices > 0 ? "" : "the NVIDIA driver finds no device";
  }();
  return reason;
}

} // namespace penstock::engine_module
