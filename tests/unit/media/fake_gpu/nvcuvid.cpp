/// A libnvcuvid.so.1 that decodes nothing: a surface shows a pattern made of the checksum of its picture's slices, so a
/// test can tell whose picture it is. It fails as hardware does: FAKE_GPU_REFUSES=1 has no decoder, FAKE_GPU_FAILS_AT=n
/// breaks at the n-th picture. A surface that is still mapped when it is decoded into, or when the decoder goes,
/// aborts.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using ulong = unsigned long;

struct create_info { // the beginning of CUVIDDECODECREATEINFO
  ulong width, height, surfaces;
  int codec, chroma;
  ulong flags, deeper_bits, intra_only, max_width, max_height, reserved;
  short display[4];
  int output_format, deinterlace;
  ulong target_width, target_height, output_surfaces;
};

struct capabilities { // the beginning of CUVIDDECODECAPS
  int codec, chroma;
  unsigned deeper_bits, reserved[3];
  unsigned char supported, engines;
  unsigned short output_formats;
  unsigned max_width, max_height, max_macroblocks;
  unsigned short min_width, min_height;
};

struct picture { // the beginning of CUVIDPICPARAMS
  int width_macroblocks, height_macroblocks, surface, is_field, is_bottom, is_second;
  unsigned bytes;
  const unsigned char* data;
};

struct decoder {
  create_info info;
  std::vector<std::uint32_t> sums;
  std::vector<int> mapped; ///< how often each surface is
  struct mapping {
    std::uint8_t* memory;
    int surface;
  };
  std::vector<mapping> mappings;
};

int setting(const char* name) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : 0;
}

int pictures = 0;

} // namespace

extern "C" {

int cuvidGetDecoderCaps(capabilities* c) {
  c->supported = setting("FAKE_GPU_REFUSES") == 0;
  c->output_formats = 0xff;
  c->max_width = c->max_height = 8192;
  c->max_macroblocks = 1 << 18;
  c->min_width = c->min_height = 48;
  return 0;
}

int cuvidCreateDecoder(decoder** made, const create_info* info) {
  *made = new decoder{*info, std::vector<std::uint32_t>(info->surfaces), std::vector<int>(info->surfaces), {}};
  return 0;
}

int cuvidDestroyDecoder(decoder* d) {
  if (!d->mappings.empty()) std::abort();
  delete d;
  return 0;
}

int cuvidDecodePicture(decoder* d, const picture* p) {
  if (++pictures == setting("FAKE_GPU_FAILS_AT")) return 999;
  const auto surface = static_cast<std::size_t>(p->surface);
  if (d->mapped.at(surface) != 0) std::abort();
  std::uint32_t sum = 2166136261U;
  for (unsigned i = 0; i < p->bytes; ++i) sum = (sum ^ p->data[i]) * 16777619U;
  d->sums[surface] = sum;
  return 0;
}

int cuvidMapVideoFrame64(decoder* d, int surface, std::uint8_t** memory, unsigned* pitch, void*) {
  if (d->mappings.size() >= d->info.output_surfaces) return 1;
  const auto row = d->info.target_width * (d->info.deeper_bits ? 2 : 1);
  *pitch = static_cast<unsigned>((row + 511) / 512 * 512);
  *memory = static_cast<std::uint8_t*>(std::malloc(*pitch * d->info.target_height * 3 / 2));
  const auto sum = d->sums[static_cast<std::size_t>(surface)];
  for (ulong y = 0; y < d->info.target_height * 3 / 2; ++y)
    for (ulong x = 0; x < *pitch; ++x) (*memory)[y * *pitch + x] = static_cast<std::uint8_t>((sum >> 8 * (x % 4)) ^ y);
  ++d->mapped[static_cast<std::size_t>(surface)];
  d->mappings.push_back({*memory, surface});
  return 0;
}

int cuvidUnmapVideoFrame64(decoder* d, std::uint8_t* memory) {
  const auto at =
      std::find_if(d->mappings.begin(), d->mappings.end(), [&](const auto& m) { return m.memory == memory; });
  if (at == d->mappings.end()) std::abort();
  --d->mapped[static_cast<std::size_t>(at->surface)];
  d->mappings.erase(at);
  std::free(memory);
  return 0;
}

#define unused(name)                                                                                                   \
  int name() { return 999; }
unused(cuvidGetDecodeStatus) unused(cuvidReconfigureDecoder) unused(cuvidCtxLockCreate) unused(cuvidCtxLockDestroy)
    unused(cuvidCtxLock) unused(cuvidCtxUnlock) unused(cuvidCreateVideoSource) unused(cuvidCreateVideoSourceW)
        unused(cuvidDestroyVideoSource) unused(cuvidSetVideoSourceState) unused(cuvidGetVideoSourceState)
            unused(cuvidGetSourceVideoFormat) unused(cuvidGetSourceAudioFormat) unused(cuvidCreateVideoParser)
                unused(cuvidParseVideoData) unused(cuvidDestroyVideoParser)
}
