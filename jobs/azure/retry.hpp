#pragma once

#include <functional>

#include "core/error.hpp"
#include "jobs/azure/credential.hpp"
#include "jobs/azure/http.hpp"
#include "jobs/ids.hpp"

namespace penstock::jobs::azure {

struct retry_rules {
  milliseconds first{100};
  milliseconds longest{5'000};
  milliseconds whole{30'000}; ///< nobody is made to wait longer
  random_bits random = system_random();
  std::function<void(milliseconds)> pause; ///< empty: sleeps
};

/// 408, 429 and those of 5xx that trying again may mend.
[[nodiscard]] bool is_passing(int status);

/// How long the service wants to be left alone (`Retry-After`); 0 where it does not say.
[[nodiscard]] milliseconds wanted_pause(const http_response& answer);

/// Makes a request, signed anew each time, again while the service is away or `may_mend` says that trying again may
/// mend its answer. 401 and 403 are tried once more with a fresh credential. What a request asks for may thus be done
/// twice. Gives the last answer, whatever its status. Errors: `timeout`, `unavailable`, and those of the credential.
[[nodiscard]] core::expected<http_response> call_patiently(http_client& http, credential& let_in,
                                                           const http_request& plain, const retry_rules& rules,
                                                           const std::function<bool(const http_response&)>& may_mend);

} // namespace penstock::jobs::azure
