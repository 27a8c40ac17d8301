#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/options.hpp"

namespace penstock::gateway::policy {

using digest = std::array<std::uint8_t, 32>;

/// 64 hexadecimal digits of either case.
[[nodiscard]] std::optional<digest> parse_digest(std::string_view hex) noexcept;

[[nodiscard]] digest sha256(std::string_view bytes);

/// Who holds a token.
struct holder {
  std::string name;
  std::uint8_t scopes = 0; ///< a bit for each scope

  [[nodiscard]] bool may(scope s) const noexcept;
};

/// The tokens that open the door. Knows digests only, and looks at all of them for every token, so that the time an
/// answer takes says nothing about how near a guess was.
class token_table {
 public:
  /// `tokens` are validated; entries that are not digests would never match.
  explicit token_table(const std::vector<token_options>& tokens);

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  /// The holder, or null. Valid as long as the table.
  [[nodiscard]] const holder* find(std::string_view token) const;

 private:
  struct entry {
    digest hash;
    holder who;
  };
  std::vector<entry> entries_;
};

/// The token of an `Authorization` header's value `Bearer TOKEN` (RFC 6750); empty where it is not of that form.
[[nodiscard]] std::string_view bearer_token(std::string_view authorization) noexcept;

} // namespace penstock::gateway::policy
