/// A libcuda.so.1 whose device memory is the host's: enough of the driver for FFmpeg to decode with it.
/// FFmpeg wants every function that it might call to be there; what it does not call here is in `unused`.

#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

thread_local std::vector<void*> contexts; // as pushed

struct copy_2d { // CUDA_MEMCPY2D
  std::size_t from_x, from_y;
  int from_kind;
  const void* from_host;
  const char* from;
  void* from_array;
  std::size_t from_pitch, to_x, to_y;
  int to_kind;
  void* to_host;
  char* to;
  void* to_array;
  std::size_t to_pitch, bytes, rows;
};
constexpr int device_memory = 2;

} // namespace

extern "C" {

int cuInit(unsigned) { return 0; }

int cuDeviceGet(int* device, int index) {
  *device = index;
  return index == 0 ? 0 : 101;
}

int cuDevicePrimaryCtxRetain(void** context, int) {
  static int primary;
  *context = &primary;
  return 0;
}

/// In use already, with the flags of the CUDA runtime, which are not those that FFmpeg wants.
int cuDevicePrimaryCtxGetState(int, unsigned* flags, int* active) {
  *flags = 0;
  *active = 1;
  return 0;
}

int cuGetErrorName(int, const char** name) {
  *name = "CUDA_ERROR_INVALID_DEVICE";
  return 0;
}

int cuGetErrorString(int, const char** text) {
  *text = "as the test wants";
  return 0;
}

int cuCtxPushCurrent_v2(void* context) {
  contexts.push_back(context);
  return 0;
}

int cuCtxPopCurrent_v2(void** context) {
  if (contexts.empty()) std::abort();
  *context = contexts.back();
  contexts.pop_back();
  return 0;
}

int cuMemAlloc_v2(void** memory, std::size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory ? 0 : 2;
}

int cuMemFree_v2(void* memory) {
  std::free(memory);
  return 0;
}

/// From device to device only: a frame that visits host memory is a failure.
int cuMemcpy2DAsync_v2(const copy_2d* c, void* stream) {
  if (stream || c->from_kind != device_memory || c->to_kind != device_memory) return 1;
  for (std::size_t y = 0; y < c->rows; ++y) std::memcpy(c->to + y * c->to_pitch, c->from + y * c->from_pitch, c->bytes);
  return 0;
}

int cuDeviceGetAttribute(int* value, int, int) {
  *value = 512; // alignment of textures, which is all that FFmpeg asks for
  return 0;
}

#define unused(name)                                                                                                   \
  int name() { return 999; }
#include "unused.inc"
}
