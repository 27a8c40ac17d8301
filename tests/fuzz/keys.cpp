#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "transport/keys.hpp"

using namespace penstock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const std::size_t wanted : {1U, 2U}) {
    std::istringstream in{text};
    const auto keys = transport::parse_keys(in, wanted);
    if (!keys) continue;
    if (keys->size() != wanted) std::abort();
    for (const auto& key : *keys)
      if (key.size() != 40) std::abort();
  }
  return 0;
}
