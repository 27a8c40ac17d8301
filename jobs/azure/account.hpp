#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace penstock::jobs::azure {

/// A storage account and how to be let in. Written as a connection string of Azure's
/// (`AccountName=…;AccountKey=…;BlobEndpoint=…`), with `Name=`, `IdentityClientId=` and `IdentityEndpoint=` of our own,
/// or as an address: `https://ACCOUNT.blob.core.windows.net/NAME[?SAS]`.
struct account {
  std::string name;                ///< of the account
  std::string blob_endpoint;       ///< without a slash at its end; path-style ones end in the account's name
  std::string queue_endpoint;      ///< likewise
  std::string key;                 ///< the shared key's bytes, or empty
  std::string signature;           ///< a shared access signature, a query without `?`, or empty
  std::string prefix = "penstock"; ///< begins the names of containers and queues
  std::string identity_endpoint = "http://169.254.169.254";
  std::string identity_client; ///< of a user-assigned identity, or empty
};

/// Error: `bad_config`, which names the part and tells no secret.
[[nodiscard]] core::expected<account> parse_account(std::string_view text);

} // namespace penstock::jobs::azure
