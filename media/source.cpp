#include "media/source.hpp"

#include <array>

#include "media/source_kinds.hpp"

namespace penstock::media {

namespace {

const std::array kinds{&synthetic_kind, &device_kind, &network_kind, &files_kind};

} // namespace

std::string printable(std::string_view uri) {
  const auto scheme = uri.find("://");
  if (scheme == uri.npos) return std::string{uri};
  const auto host = scheme + 3;
  const auto authority_end = uri.find_first_of("/?#", host);
  const auto at = uri.substr(0, authority_end).rfind('@');
  if (at == uri.npos || at < host) return std::string{uri};
  return std::string{uri.substr(0, host)} + "***" + std::string{uri.substr(at)};
}

core::expected<source_traits> describe_source(const std::string& uri) {
  for (const auto* kind : kinds)
    if (auto traits = kind->describe(uri)) return *traits;
  return core::fail(core::errc::unsupported, printable(uri) + ": no kind of source takes this");
}

core::expected<std::unique_ptr<packet_source>> open_source(const source_options& options) {
  for (const auto* kind : kinds) {
    const auto traits = kind->describe(options.uri);
    if (!traits) continue;
    if (!*traits) return tl::unexpected{traits->error()};
    return kind->open(options);
  }
  return core::fail(core::errc::unsupported, printable(options.uri) + ": no kind of source takes this");
}

} // namespace penstock::media
