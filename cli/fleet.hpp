#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "topology/load.hpp"
#include "transport/keys.hpp"

namespace penstock::cli {

/// A role of the topology: the one of that name or, for "", the only one that runs `stage`. Errors name the roles there
/// are.
[[nodiscard]] core::expected<topology::node_config> find_role(const topology::loaded& topology, const std::string& name,
                                                              topology::stage stage);

/// The keys of a node: those of `name` in the topology's key folder, or else of `otherwise` (a role). None where there
/// is no such folder: links are not encrypted then. Errors as of `read_key_ring`.
[[nodiscard]] core::expected<std::optional<transport::key_ring>>
keys_of(const topology::loaded& topology, const std::string& name, const std::string& otherwise);

/// The same for a folder.
[[nodiscard]] core::expected<std::optional<transport::key_ring>>
keys_in(const std::filesystem::path& folder, const std::string& name, const std::string& otherwise);

/// A name for a process of a fleet: this machine's, and something that no other has.
[[nodiscard]] std::string fleet_name();

} // namespace penstock::cli
