#include "jobs/azure/account.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "jobs/base64.hpp"

namespace penstock::jobs::azure {
namespace {

/// The emulator's account, which is the same everywhere and no secret (Azure's documentation of Azurite).
constexpr std::string_view emulator =
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;";

tl::unexpected<core::error> wrong(std::string what) { return core::fail(core::errc::bad_config, std::move(what)); }

/// Container and queue names of Azure, with room for what we append.
bool is_prefix(std::string_view text) {
  constexpr std::size_t longest = 50;
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return text.size() >= 1 && text.size() <= longest && std::all_of(text.begin(), text.end(), good) &&
         text.front() != '-' && text.back() != '-' && text.find("--") == std::string_view::npos;
}

core::expected<std::string> endpoint(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  if (!text.starts_with("https://") && !text.starts_with("http://")) {
    return wrong(fmt::format("'{}': allowed: https://… or http://…", text));
  }
  if (text.find_first_of("?# ") != std::string::npos) return wrong("an endpoint has no query");
  return text;
}

core::expected<account> finish(account out) {
  if (!is_prefix(out.prefix)) return wrong("the name: allowed: small letters, digits, single - between them");
  auto blob = endpoint(out.blob_endpoint);
  if (!blob) return tl::unexpected{blob.error()};
  auto queue = endpoint(out.queue_endpoint);
  if (!queue) return tl::unexpected{queue.error()};
  auto identity = endpoint(out.identity_endpoint);
  if (!identity) return tl::unexpected{identity.error()};
  out.blob_endpoint = std::move(*blob);
  out.queue_endpoint = std::move(*queue);
  out.identity_endpoint = std::move(*identity);
  if (out.signature.starts_with('?')) out.signature.erase(0, 1);
  return out;
}

/// https://ACCOUNT.(blob|queue).SUFFIX/NAME?SAS
core::expected<account> parse_address(std::string_view text) {
  account out;
  const auto query = text.find('?');
  if (query != std::string_view::npos) out.signature = text.substr(query + 1);
  const auto plain = text.substr(0, query);
  const auto host_at = plain.find("://") + 3;
  const auto slash = plain.find('/', host_at);
  const auto host = plain.substr(host_at, slash == std::string_view::npos ? slash : slash - host_at);
  if (slash != std::string_view::npos && slash + 1 < plain.size()) {
    out.prefix = plain.substr(slash + 1);
    if (out.prefix.ends_with('/')) out.prefix.pop_back();
  }
  const auto dot = host.find('.');
  const auto second = dot == std::string_view::npos ? dot : host.find('.', dot + 1);
  const auto service = second == std::string_view::npos ? std::string_view{} : host.substr(dot + 1, second - dot - 1);
  if (service != "blob" && service != "queue") {
    return wrong("allowed: https://ACCOUNT.blob.core.windows.net/NAME, or a connection string");
  }
  out.name = host.substr(0, dot);
  const auto scheme = plain.substr(0, host_at);
  const auto suffix = host.substr(second);
  out.blob_endpoint = fmt::format("{}{}.blob{}", scheme, out.name, suffix);
  out.queue_endpoint = fmt::format("{}{}.queue{}", scheme, out.name, suffix);
  return finish(std::move(out));
}

core::expected<std::map<std::string, std::string>> split(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(';'), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.empty()) continue;
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) return wrong("a connection string is made of NAME=VALUE; NAME=VALUE");
    out[std::string{part.substr(0, equals)}] = part.substr(equals + 1);
  }
  return out;
}

} // namespace

core::expected<account> parse_account(std::string_view text) {
  if (text.starts_with("https://") || text.starts_with("http://")) return parse_address(text);
  auto parts = split(text);
  if (!parts) return tl::unexpected{parts.error()};
  const auto take = [&](const char* name, std::string otherwise = {}) {
    const auto found = parts->find(name);
    if (found == parts->end()) return otherwise;
    auto value = std::move(found->second);
    parts->erase(found);
    return value;
  };
  if (const auto found = take("UseDevelopmentStorage"); found == "true") {
    const auto known = split(emulator);
    if (!known) return tl::unexpected{known.error()};
    for (const auto& [name, value] : *known) parts->try_emplace(name, value);
  } else if (!found.empty() && found != "false") {
    return wrong("UseDevelopmentStorage: allowed: true, false");
  }
  account out;
  out.name = take("AccountName");
  const auto key = take("AccountKey");
  if (!key.empty()) {
    auto bytes = from_base64(key);
    if (!bytes) return wrong("AccountKey: is no base 64");
    out.key = std::move(*bytes);
  }
  const auto protocol = take("DefaultEndpointsProtocol", "https");
  const auto suffix = take("EndpointSuffix", "core.windows.net");
  out.blob_endpoint = take("BlobEndpoint", fmt::format("{}://{}.blob.{}", protocol, out.name, suffix));
  out.queue_endpoint = take("QueueEndpoint", fmt::format("{}://{}.queue.{}", protocol, out.name, suffix));
  out.signature = take("SharedAccessSignature");
  out.prefix = take("Name", out.prefix);
  out.identity_client = take("IdentityClientId");
  out.identity_endpoint = take("IdentityEndpoint", out.identity_endpoint);
  for (const auto* unused : {"TableEndpoint", "FileEndpoint"}) static_cast<void>(take(unused));
  if (!parts->empty()) return wrong(fmt::format("'{}': no part of a connection string", parts->begin()->first));
  if (out.name.empty()) return wrong("AccountName: is missing");
  return finish(std::move(out));
}

} // namespace penstock::jobs::azure
