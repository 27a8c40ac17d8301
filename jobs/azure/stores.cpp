#include "jobs/azure/stores.hpp"

#include <utility>

#include "jobs/azure/account.hpp"
#include "jobs/azure/blobs.hpp"
#include "jobs/azure/credential.hpp"
#include "jobs/azure/hints.hpp"
#include "jobs/azure/ledger.hpp"
#include "jobs/azure/service.hpp"

namespace penstock::jobs::azure {

core::expected<queue_and_container> open_queue(std::string_view url) {
  const auto to = parse_account(url);
  if (!to) return tl::unexpected{to.error()};
  const auto http = std::make_shared<http_client>();
  const auto let_in = make_credential(*to, http);
  auto blob = std::make_shared<service>(to->blob_endpoint, let_in, http);
  auto queue = std::make_shared<service>(to->queue_endpoint, let_in, http);
  const auto container = to->prefix + "-ledger";
  const auto name = to->prefix + "-hints";
  if (auto made = blob->make("/" + container + "?restype=container"); !made) return tl::unexpected{made.error()};
  if (auto made = queue->make("/" + name); !made) return tl::unexpected{made.error()};
  return queue_and_container{make_ledger(std::move(blob), container), make_hints(std::move(queue), name)};
}

core::expected<std::shared_ptr<jobs::blobs>> open_blobs(std::string_view url) {
  const auto to = parse_account(url);
  if (!to) return tl::unexpected{to.error()};
  const auto http = std::make_shared<http_client>();
  auto blob = std::make_shared<service>(to->blob_endpoint, make_credential(*to, http), http);
  const auto container = to->prefix + "-blobs";
  if (auto made = blob->make("/" + container + "?restype=container"); !made) return tl::unexpected{made.error()};
  return make_blobs(std::move(blob), container);
}

} // namespace penstock::jobs::azure
