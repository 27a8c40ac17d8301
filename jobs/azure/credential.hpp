#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "jobs/azure/account.hpp"
#include "jobs/azure/http.hpp"

namespace penstock::jobs::azure {

using system_time = std::chrono::system_clock::time_point;

/// What lets a request in. Thread-safe.
class credential {
 public:
  credential() = default;
  credential(const credential&) = delete;
  credential& operator=(const credential&) = delete;
  virtual ~credential() = default;

  /// Adds what is needed to a request that is otherwise complete.
  [[nodiscard]] virtual core::expected<void> sign(http_request& request, system_time now) = 0;

  /// The service refused what was signed: a token that is kept may be too old. True where another try makes sense.
  [[nodiscard]] virtual bool refresh() { return false; }
};

/// The account's key, else its shared access signature, else the machine's managed identity.
[[nodiscard]] std::shared_ptr<credential> make_credential(const account& from, std::shared_ptr<http_client> http);

/// Tokens of the machine's managed identity for an audience ("https://management.azure.com/"), from the metadata
/// service at `endpoint`; `client` names a user-assigned identity, or is empty. Kept until five minutes before their
/// end, which is counted from their coming (`expires_in`), so that the clocks may differ.
[[nodiscard]] std::shared_ptr<credential> make_managed_identity(const std::string& endpoint, const std::string& client,
                                                                std::string_view audience,
                                                                std::shared_ptr<http_client> http);

/// HMAC of SHA-256 (RFC 2104).
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view text);

/// What SharedKey signs: method, headers and resource in the form of Azure's documentation ("Authorize with Shared
/// Key", version 2009-09-19 and later).
[[nodiscard]] std::string string_to_sign(const http_request& request, std::string_view account);

} // namespace penstock::jobs::azure
