#pragma once

#include <memory>
#include <string_view>

#include "jobs/blobs.hpp"
#include "jobs/hints.hpp"
#include "jobs/ledger.hpp"

namespace penstock::jobs::azure {

struct queue_and_container {
  std::shared_ptr<jobs::ledger> ledger;
  std::shared_ptr<jobs::hints> hints;
};

/// Ledger (the container NAME-ledger) and hints (the queue NAME-hints) of an account (azure/account.hpp), made where
/// they are not there. Errors: `bad_config` for the address or where the account does not let us in, `unavailable`.
[[nodiscard]] core::expected<queue_and_container> open_queue(std::string_view url);

/// Blobs of the container NAME-blobs. Likewise.
[[nodiscard]] core::expected<std::shared_ptr<jobs::blobs>> open_blobs(std::string_view url);

} // namespace penstock::jobs::azure
