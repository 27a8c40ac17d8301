#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace penstock::transport {

/// A CURVE key pair, Z85 text of 40 characters each.
struct key_pair {
  std::string public_key;
  std::string secret_key;
};

/// What a node needs of a key folder: `NAME.key_secret` (mode 0600: public and secret), `NAME.key` (public) for each
/// node that may join. `head` is the server's name.
struct key_ring {
  key_pair own;
  std::string server_key;                ///< public key of the head
  std::vector<std::string> allowed_keys; ///< public keys in the folder
};

[[nodiscard]] key_pair make_key_pair();

/// Writes a new pair NAME.key and NAME.key_secret (0600) into the folder, which is made. Error: `io`, also where the
/// name is taken.
[[nodiscard]] core::expected<key_pair> write_key_pair(const std::filesystem::path& folder, const std::string& name);

/// Reads what node `name` needs. Errors name the file: `not_found`, `corrupt`, `bad_config` where others can read a
/// secret.
[[nodiscard]] core::expected<key_ring> read_key_ring(const std::filesystem::path& folder, const std::string& name);

} // namespace penstock::transport
