#include "scaling/fleet/fleets.hpp"

#include <algorithm>
#include <array>

namespace penstock::scaling {
namespace {

struct fleet_line {
  std::string_view kind;
  core::expected<void> (*validate)(const fleet_options&);
  core::expected<fleet_ptr> (*open)(const fleet_options&);
};

template <auto Options, auto Open>
constexpr fleet_line line(std::string_view kind) {
  return {kind, [](const fleet_options& all) { return (all.*Options).validate(); },
          [](const fleet_options& all) { return Open(all.*Options); }};
}

/// What can be scaled: a line each.
constexpr std::array fleets{
    line<&fleet_options::process, open_processes>("process"), line<&fleet_options::vmss, open_vmss>("vmss"),
    line<&fleet_options::exec, open_exec>("exec"), line<&fleet_options::advise, open_advise>("advise")};

core::expected<const fleet_line*> find(std::string_view kind) {
  const auto* found =
      std::find_if(fleets.begin(), fleets.end(), [kind](const fleet_line& each) { return each.kind == kind; });
  if (found != fleets.end()) return found;
  std::string names;
  for (const auto name : fleet_kinds()) names += (names.empty() ? "" : ", ") + std::string{name};
  return core::fail(core::errc::unsupported,
                    "fleet: \"" + std::string{kind} + "\" is no kind of fleet; there are " + names);
}

} // namespace

std::vector<std::string_view> fleet_kinds() {
  std::vector<std::string_view> out;
  for (const auto& each : fleets) out.push_back(each.kind);
  return out;
}

core::expected<void> validate(const fleet_options& options) {
  const auto found = find(options.kind);
  if (!found) return tl::unexpected{found.error()};
  return (*found)->validate(options);
}

core::expected<fleet_ptr> open_fleet(const fleet_options& options) {
  const auto found = find(options.kind);
  if (!found) return tl::unexpected{found.error()};
  return (*found)->open(options);
}

} // namespace penstock::scaling
