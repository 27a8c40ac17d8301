#include "inference/engines/torch/archive.hpp"

#include <caffe2/serialize/inline_container.h>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <system_error>

#include "inference/engines/module.hpp"
#include "inference/engines/torch/messages.hpp"

namespace penstock::engine_module::torchscript {
namespace {

const std::string how_to_export = "export the model as TorchScript, with torch.jit.trace(model, images).save(FILE) or "
                                  "`yolo export format=torchscript`";

std::string first_bytes(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in) {
    const auto why = std::generic_category().message(errno);
    fail(errno == ENOENT ? PENSTOCK_NOT_FOUND : PENSTOCK_IO, why);
  }
  std::string bytes(4, '\0');
  in.read(bytes.data(), 4);
  if (in.bad()) fail(PENSTOCK_IO, "it cannot be read");
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

} // namespace

void check_archive(const std::string& file) {
  const auto bytes = first_bytes(file);
  if (bytes.starts_with('\x80')) { // a pickle: what torch.save wrote before it wrote archives
    fail(PENSTOCK_UNSUPPORTED, "it holds weights only (a pickle), no program to run; " + how_to_export);
  }
  if (!bytes.starts_with("PK")) fail(PENSTOCK_CORRUPT, "it is not a TorchScript file");
  try {
    caffe2::serialize::PyTorchStreamReader archive{file};
    if (archive.hasRecord("constants.pkl")) return;
    if (archive.hasRecord("data.pkl")) {
      fail(PENSTOCK_UNSUPPORTED, "it holds weights only (torch.save), no program to run; " + how_to_export);
    }
  } catch (const c10::Error& e) {
    fail(PENSTOCK_CORRUPT, "it is a damaged or incomplete TorchScript file: " + brief(e.what_without_backtrace()));
  }
  fail(PENSTOCK_UNSUPPORTED, "it is an archive, but not of TorchScript; " + how_to_export);
}

} // namespace penstock::engine_module::torchscript
