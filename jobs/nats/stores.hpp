#pragma once

#include <memory>
#include <string_view>

#include "jobs/hints.hpp"
#include "jobs/ledger.hpp"

namespace penstock::jobs::nats {

struct streams {
  std::shared_ptr<jobs::ledger> ledger;
  std::shared_ptr<jobs::hints> hints;
};

/// Ledger and hints in JetStream, made where they are not there. Errors: `bad_config` for the address
/// (nats/address.hpp) or for a server that refuses it, `unavailable`.
[[nodiscard]] core::expected<streams> open(std::string_view url);

} // namespace penstock::jobs::nats
