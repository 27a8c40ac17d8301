#include "inference/engines/engines.hpp"

namespace penstock::inference {

const engine& onnxruntime_engine() {
  static const absent_engine absent{"onnxruntime",
                                    "this build has no ONNX Runtime; run `make setup`, or configure with "
                                    "-DONNXRUNTIME_ROOT=<its install folder>, and build again"};
  return absent;
}

} // namespace penstock::inference
