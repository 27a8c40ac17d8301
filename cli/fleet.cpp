#include "cli/fleet.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>

namespace penstock::cli {

core::expected<topology::node_config> find_role(const topology::loaded& topology, const std::string& name,
                                                topology::stage stage) {
  std::string names;
  const topology::node_config* found = nullptr;
  for (const auto& role : topology.config.nodes) {
    names += (names.empty() ? "" : ", ") + role.role;
    const bool fits = name.empty() ? std::ranges::find(role.stages, stage) != role.stages.end() : role.role == name;
    if (!fits) continue;
    if (found != nullptr)
      return core::fail(core::errc::bad_config, fmt::format("nodes: --role must say which one: {}", names));
    found = &role;
  }
  if (found != nullptr) return *found;
  if (topology.config.nodes.empty())
    return core::fail(core::errc::bad_config,
                      "nodes: is missing, so there are no roles; `penstock run` runs everything");
  return core::fail(core::errc::bad_config, name.empty()
                                                ? fmt::format("nodes: no role fits; there are {}", names)
                                                : fmt::format("nodes: no role \"{}\"; there are {}", name, names));
}

core::expected<std::optional<transport::key_ring>> keys_in(const std::filesystem::path& folder, const std::string& name,
                                                           const std::string& otherwise) {
  std::error_code ignored;
  if (folder.empty() || !std::filesystem::exists(folder, ignored)) return std::optional<transport::key_ring>{};
  const auto own = std::filesystem::exists(folder / (name + ".key_secret"), ignored) ? name : otherwise;
  auto ring = transport::read_key_ring(folder, own);
  if (!ring) return core::fail("security.keys", ring.error());
  return std::optional{std::move(*ring)};
}

core::expected<std::optional<transport::key_ring>> keys_of(const topology::loaded& topology, const std::string& name,
                                                           const std::string& otherwise) {
  return keys_in(topology.config.security.keys, name, otherwise);
}

std::string fleet_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {'n', 'o', 'd', 'e'};
  return fmt::format("{}-{:06x}", host.data(), std::random_device{}() & 0xffffffU);
}

} // namespace penstock::cli
