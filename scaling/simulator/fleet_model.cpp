#include "scaling/simulator/fleet_model.hpp"

#include "scaling/simulator/options.hpp"

namespace penstock::scaling::simulator {

core::expected<void> fleet_model::validate() const {
  const auto wrong = [](const char* what) { return core::fail(core::errc::invalid_argument, what); };
  if (boot_from_s < 0 || warm_s < 0 || spot_life_s < 0 || notice_s < 0) return wrong("fleet: a time is below 0");
  if (boot_to_s < boot_from_s) return wrong("fleet: boot ends before it begins");
  if (price_per_h < 0) return wrong("fleet: price is below 0");
  if (initial < 0) return wrong("fleet: initial is below 0");
  if (available < initial) return wrong("fleet: available is below initial");
  if (fails < 0 || fails > 1) return wrong("fleet: fails is no probability");
  return {};
}

core::expected<fleet_model> parse_fleet(std::string_view text, fleet_model model) {
  options accepted;
  accepted.durations("boot", model.boot_from_s, model.boot_to_s)
      .duration("warm", model.warm_s)
      .price("price", model.price_per_h)
      .whole("initial", model.initial, 0, 100'000)
      .whole("available", model.available, 0)
      .number("fails", model.fails, 0, 1)
      .duration("spot", model.spot_life_s)
      .duration("notice", model.notice_s);
  if (const auto read = accepted.read(text); !read) return core::fail("fleet", read.error());
  if (const auto valid = model.validate(); !valid) return tl::unexpected{valid.error()};
  return model;
}

} // namespace penstock::scaling::simulator
