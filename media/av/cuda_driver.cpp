#include "media/av/cuda_driver.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace penstock::media {

namespace {

using result = int; // CUresult, 0 for success
using device = int; // CUdevice

/// A function of the driver, by its name in the library.
template <class Function>
Function* function(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

} // namespace

core::expected<CUctx_st*> primary_context(int cuda_device) {
  // never closed: the context lives in it
  static void* const library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return core::fail(core::errc::unsupported, "no NVIDIA driver: libcuda.so.1 cannot be loaded");
  auto* init = function<result(unsigned)>(library, "cuInit");
  auto* get = function<result(device*, int)>(library, "cuDeviceGet");
  auto* retain = function<result(CUctx_st**, device)>(library, "cuDevicePrimaryCtxRetain");
  auto* name_of = function<result(result, const char**)>(library, "cuGetErrorName");
  if (!init || !get || !retain || !name_of)
    return core::fail(core::errc::unsupported, "libcuda.so.1 is no driver that this program knows");
  device found = 0;
  CUctx_st* context = nullptr;
  result code = init(0);
  if (code == 0) code = get(&found, cuda_device);
  if (code == 0) code = retain(&context, found);
  if (code == 0) return context;
  const char* name = nullptr;
  if (name_of(code, &name) != 0 || !name) name = "unknown";
  return core::fail(core::errc::unsupported, fmt::format("the NVIDIA driver says {} ({})", name, code));
}

} // namespace penstock::media
