#pragma once

#include <memory>

#include "jobs/ledger.hpp"
#include "jobs/nats/connection.hpp"

namespace penstock::jobs::nats {

/// A ledger in the stream `KV_NAME`, laid out as a key-value bucket, so that NATS's own tools can read it. Versions are
/// the stream's sequence numbers.
[[nodiscard]] core::expected<std::shared_ptr<jobs::ledger>> open_ledger(std::shared_ptr<connection> over,
                                                                        const address& to);

} // namespace penstock::jobs::nats
