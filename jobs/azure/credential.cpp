#include "jobs/azure/credential.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "core/sha256.hpp"
#include "jobs/base64.hpp"

namespace penstock::jobs::azure {
namespace {

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

class shared_key final : public credential {
 public:
  shared_key(std::string account, std::string key) : account_{std::move(account)}, key_{std::move(key)} {}

  core::expected<void> sign(http_request& request, system_time now) override {
    request.headers.emplace_back("x-ms-date", http_date(now));
    const auto signature = to_base64(hmac_sha256(key_, string_to_sign(request, account_)));
    request.headers.emplace_back("Authorization", fmt::format("SharedKey {}:{}", account_, signature));
    return {};
  }

 private:
  std::string account_;
  std::string key_;
};

class access_signature final : public credential {
 public:
  explicit access_signature(std::string query) : query_{std::move(query)} {}

  core::expected<void> sign(http_request& request, system_time now) override {
    request.headers.emplace_back("x-ms-date", http_date(now));
    request.url += request.url.find('?') == std::string::npos ? '?' : '&';
    request.url += query_;
    return {};
  }

 private:
  std::string query_;
};

/// Tokens of the machine's identity, from the metadata service of its host.
class managed_identity final : public credential {
 public:
  managed_identity(const std::string& endpoint, const std::string& client, std::string_view audience,
                   std::shared_ptr<http_client> http)
      : http_{std::move(http)}, url_{endpoint + "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" +
                                     percent_encoded(audience) +
                                     (client.empty() ? std::string{} : "&client_id=" + percent_encoded(client))} {}

  core::expected<void> sign(http_request& request, system_time now) override {
    const std::lock_guard lock{mutex_};
    // Hosts keep tokens until five minutes before their end.
    if (token_.empty() || now + std::chrono::minutes{5} > end_) {
      if (auto got = fetch(now); !got) return got;
    }
    request.headers.emplace_back("x-ms-date", http_date(now));
    request.headers.emplace_back("Authorization", "Bearer " + token_);
    return {};
  }

  bool refresh() override {
    const std::lock_guard lock{mutex_};
    return !std::exchange(token_, {}).empty();
  }

 private:
  core::expected<void> fetch(system_time now) {
    http_request request;
    request.url = url_;
    request.headers.emplace_back("Metadata", "true");
    auto answer = http_->once(request);
    if (!answer) return core::fail("managed identity", answer.error());
    constexpr int ok = 200;
    if (answer->status != ok) {
      const auto passing =
          answer->status == 404 || answer->status == 410 || answer->status == 429 || answer->status >= 500;
      return core::fail(passing ? core::errc::unavailable : core::errc::bad_config,
                        fmt::format("managed identity: status {}", answer->status));
    }
    const auto body = nlohmann::json::parse(answer->body, nullptr, false);
    const auto text = [&](const char* name) {
      const auto found = body.is_object() ? body.find(name) : body.end();
      return body.is_object() && found != body.end() && found->is_string() ? found->get<std::string>() : std::string{};
    };
    const auto token = text("access_token");
    const auto lifetime = text("expires_in");
    int seconds = 0;
    std::from_chars(lifetime.data(), lifetime.data() + lifetime.size(), seconds);
    if (token.empty() || seconds <= 0 || token.find_first_of("\r\n") != std::string::npos) {
      return core::fail(core::errc::corrupt, "managed identity: no token in the answer");
    }
    token_ = token;
    end_ = now + std::chrono::seconds{seconds};
    return {};
  }

  std::shared_ptr<http_client> http_;
  std::string url_;
  std::mutex mutex_;
  std::string token_;
  system_time end_{};
};

} // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  constexpr std::size_t block = core::sha256_hasher::block_bytes;
  std::array<std::byte, block> padded{};
  if (key.size() > block) {
    const auto digest = core::sha256(std::as_bytes(std::span{key}));
    std::copy(digest.begin(), digest.end(), padded.begin());
  } else {
    std::transform(key.begin(), key.end(), padded.begin(), [](char c) { return static_cast<std::byte>(c); });
  }
  const auto masked = [&](std::byte mask) {
    auto out = padded;
    for (auto& byte : out) byte ^= mask;
    return out;
  };
  core::sha256_hasher inner;
  inner.update(masked(std::byte{0x36}));
  inner.update(std::as_bytes(std::span{text}));
  core::sha256_hasher outer;
  outer.update(masked(std::byte{0x5c}));
  outer.update(inner.finish());
  const auto digest = outer.finish();
  std::string out;
  for (const auto byte : digest) out += static_cast<char>(byte);
  return out;
}

std::string string_to_sign(const http_request& request, std::string_view account) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) headers[lower(name)] = value;
  const auto value_of = [&](const char* name) {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
  };
  auto out = request.method + '\n';
  out += value_of("content-encoding") + '\n';
  out += value_of("content-language") + '\n';
  out += (request.body.empty() ? std::string{} : std::to_string(request.body.size())) + '\n';
  for (const auto* name : {"content-md5", "content-type", "date", "if-modified-since", "if-match", "if-none-match",
                           "if-unmodified-since", "range"}) {
    out += value_of(name) + '\n';
  }
  for (const auto& [name, value] : headers) {
    if (name.starts_with("x-ms-")) out += name + ':' + value + '\n';
  }
  // Path-style addresses have the account in their path already, and get it twice.
  const std::string_view url{request.url};
  const auto host = url.find("://") + 3;
  const auto path = std::min(url.find_first_of("/?", host), url.size());
  const auto query = std::min(url.find('?', path), url.size());
  out += '/';
  out += account;
  out += path == query ? std::string_view{"/"} : url.substr(path, query - path);
  std::map<std::string, std::vector<std::string>> parameters;
  for (auto left = url.substr(std::min(query + 1, url.size())); !left.empty();) {
    const auto end = std::min(left.find('&'), left.size());
    const auto part = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    const auto equals = std::min(part.find('='), part.size());
    parameters[lower(percent_decoded(part.substr(0, equals)))].push_back(
        percent_decoded(part.substr(std::min(equals + 1, part.size()))));
  }
  for (auto& [name, values] : parameters) {
    std::sort(values.begin(), values.end());
    out += '\n' + name + ':' + fmt::format("{}", fmt::join(values, ","));
  }
  return out;
}

std::shared_ptr<credential> make_credential(const account& from, std::shared_ptr<http_client> http) {
  if (!from.key.empty()) return std::make_shared<shared_key>(from.name, from.key);
  if (!from.signature.empty()) return std::make_shared<access_signature>(from.signature);
  return make_managed_identity(from.identity_endpoint, from.identity_client, "https://storage.azure.com/",
                               std::move(http));
}

std::shared_ptr<credential> make_managed_identity(const std::string& endpoint, const std::string& client,
                                                  std::string_view audience, std::shared_ptr<http_client> http) {
  return std::make_shared<managed_identity>(endpoint, client, audience, std::move(http));
}

} // namespace penstock::jobs::azure
