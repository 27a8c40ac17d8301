#include "kernels/preprocess_batch.hpp"

#include <string>

#include "kernels/checks.hpp"

namespace penstock::kernels {

core::expected<void> check(const preprocess_batch& job) {
  const auto bad = [](std::string message) { return core::fail(core::errc::invalid_argument, std::move(message)); };
  if (auto ok = job.spec.validate(); !ok) return ok;
  const auto shape = job.slots.shape;
  if (shape.size() != 4) return bad("the slots are not a batch of images");
  auto one = job.slots;
  one.shape = shape.subspan(1);
  if (auto ok = check_slot(job.spec, one); !ok) return ok;
  const auto slots = static_cast<std::size_t>(shape[0]);
  if (shape[0] < 0 || job.first > slots || job.frames.size() > slots - job.first)
    return bad(std::to_string(job.frames.size()) + " frames from slot " + std::to_string(job.first) +
               " are beyond a batch of " + std::to_string(shape[0]));
  for (std::size_t i = 0; i < job.frames.size(); ++i) {
    const auto& frame = job.frames[i];
    const auto at = "frame " + std::to_string(i);
    if (auto ok = check_picture(frame); !ok) return core::fail(at, ok.error());
    if (frame.memory != job.slots.memory) return bad(at + " and the slots lie in different memory");
  }
  return {};
}

} // namespace penstock::kernels
