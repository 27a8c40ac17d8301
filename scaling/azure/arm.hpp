#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/time.hpp"
#include "jobs/azure/credential.hpp"
#include "jobs/azure/http.hpp"
#include "jobs/azure/retry.hpp"

namespace penstock::scaling::azure {

using jobs::azure::credential;
using jobs::azure::http_client;
using jobs::azure::http_response;
using jobs::azure::retry_rules;

using clock_function = std::function<core::time_point()>;

/// Why Azure did not do what was asked, by what can be done about it.
enum class refusal : unsigned char {
  capacity,   ///< there are no machines of that size there now
  quota,      ///< the subscription may not have more
  throttled,  ///< too many requests
  changed,    ///< somebody else changed it since it was read (412)
  gone,       ///< it does not exist (any more)
  busy,       ///< another operation is under way, or the service is away
  not_let_in, ///< the identity lacks a role
  other,
};

struct refused_request {
  refusal why = refusal::other;
  int status = 0;
  std::string code;    ///< Azure's own, e.g. "AllocationFailed"
  std::string message; ///< Azure's own, one line

  /// `unavailable` for what may pass, `bad_config` for a role that is missing, `not_found`, else `io`.
  [[nodiscard]] core::error as_error(std::string_view what) const;
};

/// Reads an answer that is no success.
[[nodiscard]] refused_request read_refusal(const http_response& answer);

/// Reads an error object (`{"code", "message", …}`), as bodies and operations hold it; `status` 0 where there is none.
[[nodiscard]] refused_request read_refusal(int status, const nlohmann::json& error);

/// Azure Resource Manager: requests with a token, made again on 409, 429 and 5xx with `Retry-After` and a bound. While
/// it wants to be left alone for longer than that, requests fail at once. Used by one thread.
class arm {
 public:
  /// `endpoint` is without a slash at its end.
  arm(std::string endpoint, std::shared_ptr<credential> let_in, std::shared_ptr<http_client> http, retry_rules rules,
      clock_function clock);

  /// A path below the endpoint, or an address that an answer gave, which must be of the same host or below it: the
  /// token goes there. Any last status is an answer. Errors: `unavailable`, `timeout`, those of the token, `corrupt`
  /// for an address elsewhere.
  [[nodiscard]] core::expected<http_response> call(std::string method, const std::string& where,
                                                   std::vector<std::pair<std::string, std::string>> headers = {},
                                                   std::string body = {});

  /// What a GET answers with 200. Errors: also what was refused, and `corrupt`.
  [[nodiscard]] core::expected<nlohmann::json> get(const std::string& where);

  /// All entries of a list, page by page.
  [[nodiscard]] core::expected<std::vector<nlohmann::json>> list(const std::string& where);

  [[nodiscard]] core::time_point now() const { return clock_(); }

 private:
  core::expected<std::string> address_of(const std::string& where) const;

  std::string endpoint_;
  std::shared_ptr<credential> let_in_;
  std::shared_ptr<http_client> http_;
  retry_rules rules_;
  clock_function clock_;
  core::time_point quiet_until_{};
};

} // namespace penstock::scaling::azure
