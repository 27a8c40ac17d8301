#pragma once

#include <memory>

#include "jobs/hints.hpp"
#include "jobs/nats/connection.hpp"

namespace penstock::jobs::nats {

/// Hints in the work-queue stream `NAME-hints` with one pull consumer. All hints are unseen for the consumer's
/// `ack_wait`, whatever is asked for; a longer time takes `extend`.
[[nodiscard]] core::expected<std::shared_ptr<jobs::hints>> open_hints(std::shared_ptr<connection> over,
                                                                      const address& to);

} // namespace penstock::jobs::nats
