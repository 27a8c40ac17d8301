#include "jobs/nats/stores.hpp"

#include <utility>

#include "jobs/nats/connection.hpp"
#include "jobs/nats/hints.hpp"
#include "jobs/nats/ledger.hpp"

namespace penstock::jobs::nats {

core::expected<streams> open(std::string_view url) {
  const auto to = parse_address(url);
  if (!to) return tl::unexpected{to.error()};
  auto over = connection::open(*to);
  if (!over) return tl::unexpected{over.error()};
  auto ledger = open_ledger(*over, *to);
  if (!ledger) return tl::unexpected{ledger.error()};
  auto hints = open_hints(*over, *to);
  if (!hints) return tl::unexpected{hints.error()};
  return streams{std::move(*ledger), std::move(*hints)};
}

} // namespace penstock::jobs::nats
