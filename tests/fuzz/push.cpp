#include <cstdlib>

#include "tests/fuzz/input.hpp"
#include "transport/push.hpp"

using namespace penstock;
namespace push = transport::push;

/// What is read can be written, and reads as the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = test::read_bundle({reinterpret_cast<const std::byte*>(data), size});
  std::vector<transport::shared_bytes> payloads;
  payloads.reserve(input.parts.size());
  for (const auto& part : input.parts) payloads.push_back({nullptr, part});
  const auto read = push::decode(input.header, payloads);
  if (!read) return 0;
  const auto once = push::encode(*read);
  const auto again = push::decode(once.header, once.payloads);
  if (!again || again->index() != read->index()) std::abort();
  if (push::encode(*again).header != once.header) std::abort();
  return 0;
}
