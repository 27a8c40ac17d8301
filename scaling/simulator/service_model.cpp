#include "scaling/simulator/service_model.hpp"

#include "scaling/simulator/options.hpp"

namespace penstock::scaling::simulator {

core::expected<void> service_model::validate() const {
  const auto wrong = [](const char* what) { return core::fail(core::errc::invalid_argument, what); };
  if (fixed_s < 0 || per_item_s < 0 || overhead_s < 0) return wrong("worker: a time is below 0");
  if (busy_s(1) < 1e-6) return wrong("worker: an item takes less than 1 us");
  if (batch < 1) return wrong("worker: batch is below 1");
  if (instances < 1) return wrong("worker: instances is below 1");
  return {};
}

core::expected<service_model> parse_service(std::string_view text) {
  service_model model;
  bool exponential = false;
  options accepted;
  accepted.duration("fixed", model.fixed_s)
      .duration("item", model.per_item_s)
      .whole("batch", model.batch, 1, 4096)
      .whole("instances", model.instances, 1, 4096)
      .duration("overhead", model.overhead_s)
      .choice("varies", exponential, {"none", "exponential"});
  if (const auto read = accepted.read(text); !read) return core::fail("worker", read.error());
  if (exponential) model.varies = variation::exponential;
  if (const auto valid = model.validate(); !valid) return tl::unexpected{valid.error()};
  return model;
}

} // namespace penstock::scaling::simulator
