#include "gateway/policy/token_table.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "gateway/http/text.hpp"

namespace penstock::gateway::policy {

namespace {

constexpr std::uint8_t bit(scope s) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(s)); }

} // namespace

std::optional<digest> parse_digest(std::string_view hex) noexcept {
  digest out{};
  if (hex.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = http::hex_value(hex[2 * i]);
    const int low = http::hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return out;
}

digest sha256(std::string_view bytes) {
  digest out{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr);
  return out;
}

bool holder::may(scope s) const noexcept { return (scopes & (bit(s) | bit(scope::admin))) != 0; }

token_table::token_table(const std::vector<token_options>& tokens) {
  for (const auto& t : tokens) {
    const auto hash = parse_digest(t.sha256);
    if (!hash) continue;
    holder who{t.name, 0};
    for (const auto s : t.scopes) who.scopes = static_cast<std::uint8_t>(who.scopes | bit(s));
    entries_.push_back({*hash, std::move(who)});
  }
}

const holder* token_table::find(std::string_view token) const {
  const auto presented = sha256(token);
  const holder* found = nullptr;
  for (const auto& e : entries_) {
    if (CRYPTO_memcmp(presented.data(), e.hash.data(), presented.size()) == 0) found = &e.who;
  }
  return found;
}

std::string_view bearer_token(std::string_view authorization) noexcept {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size() || !http::same_word(authorization.substr(0, scheme.size()), scheme)) {
    return {};
  }
  return http::trimmed(authorization.substr(scheme.size()));
}

} // namespace penstock::gateway::policy
