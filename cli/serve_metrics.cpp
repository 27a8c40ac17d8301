#include "cli/serve_metrics.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "cli/command.hpp"

namespace penstock::cli {

tl::expected<std::unique_ptr<metrics::server>, int> serve_metrics(const std::string& address,
                                                                  metrics::server_callbacks callbacks) {
  if (address.empty()) return nullptr;
  auto listening = metrics::server::listen(address, std::move(callbacks));
  if (!listening) {
    fmt::print(stderr, "--metrics: {}\n", listening.error().message);
    return tl::unexpected{listening.error().code == core::errc::bad_config ? exit_usage : exit_failed};
  }
  spdlog::info("metrics on port {}", (*listening)->port());
  return std::move(*listening);
}

} // namespace penstock::cli
