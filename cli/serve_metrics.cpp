#include "cli/serve_metrics.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <string_view>
#include <utility>

#include "actors/reachable_address.hpp"
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

std::string metrics_address(const std::string& address, std::uint16_t port, const std::string& peer) {
  constexpr std::string_view scheme = "tcp://";
  const auto bound = fmt::format("{}{}:{}", scheme, address.substr(0, address.rfind(':')), port);
  auto reached = actors::reachable_address(bound, peer);
  if (reached) return reached->substr(scheme.size());
  spdlog::warn("nobody is told where the metrics are: {}", reached.error().message);
  return {};
}

} // namespace penstock::cli
