#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/time.hpp"
#include "gateway/options.hpp"

namespace penstock::gateway::policy {

/// A token bucket for each key. Remembers `most_keys` of them; beyond that unknown keys share one bucket, so that a
/// flood of addresses neither fills the memory nor gets around the limit.
class rate_limiter {
 public:
  explicit rate_limiter(rate_options limit, std::size_t most_keys = 16384);

  /// Takes one; zero if there was one, else the time until there is.
  [[nodiscard]] core::seconds take(std::string_view key, core::time_point now);

  [[nodiscard]] std::size_t keys() const noexcept { return buckets_.size(); }

 private:
  struct bucket {
    double level;
    core::time_point at;
  };
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
  };

  bucket& bucket_of(std::string_view key, core::time_point now);
  void refill(bucket& b, core::time_point now) const;
  void forget_full(core::time_point now);

  rate_options limit_;
  std::size_t most_keys_;
  std::unordered_map<std::string, bucket, hash, std::equal_to<>> buckets_;
  bucket shared_;
  core::time_point swept_{};
};

} // namespace penstock::gateway::policy
