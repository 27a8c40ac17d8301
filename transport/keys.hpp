#pragma once

#include <cstddef>
#include <filesystem>
#include <iosfwd>
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

/// Whether a new pair of that name can be written. Errors as those of `write_key_pair`.
[[nodiscard]] core::expected<void> may_write_key_pair(const std::filesystem::path& folder, const std::string& name);

/// Writes a new pair NAME.key and NAME.key_secret (0600) into the folder, which is made. Errors: `io`, also where the
/// name is taken; `bad_config` for a name that is none.
[[nodiscard]] core::expected<key_pair> write_key_pair(const std::filesystem::path& folder, const std::string& name);

/// The keys in a text, one a line; lines that begin with `#` are comments. `corrupt` unless there are `wanted` of them.
[[nodiscard]] core::expected<std::vector<std::string>> parse_keys(std::istream& text, std::size_t wanted);

/// Reads what node `name` needs. Errors name the file: `not_found`, `corrupt`, `bad_config` where others can read a
/// secret.
[[nodiscard]] core::expected<key_ring> read_key_ring(const std::filesystem::path& folder, const std::string& name);

} // namespace penstock::transport
