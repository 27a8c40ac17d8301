#include "scaling/leader.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace penstock::scaling {
namespace {

constexpr double share_held = 0.75; ///< of the lease, so that what has begun ends before another begins

struct claim {
  std::string holder;
  std::string token;
  core::seconds lease{0};
};

/// Keys are of [a-z0-9] and slashes.
std::string key_of(std::string_view scope) {
  std::string out = "scaling/";
  for (const unsigned char c : scope) out += fmt::format("{:02x}", c);
  return out;
}

core::expected<claim> read_claim(const jobs::entry& found) {
  const auto wrong = [&] { return core::fail(core::errc::corrupt, found.key + ": is no claim to lead"); };
  const auto read = nlohmann::json::parse(found.value, nullptr, false);
  if (!read.is_object() || !read.contains("holder") || !read["holder"].is_string()) return wrong();
  if (!read.contains("token") || !read["token"].is_string()) return wrong();
  if (!read.contains("lease_s") || !read["lease_s"].is_number()) return wrong();
  return claim{read["holder"], read["token"], core::seconds{read["lease_s"].get<double>()}};
}

core::time_point later(core::time_point at, core::seconds by) {
  return at + std::chrono::duration_cast<core::clock::duration>(by);
}

} // namespace

leader::leader(std::shared_ptr<jobs::ledger> store, std::string_view scope, std::string self, std::string token,
               core::seconds lease)
    : store_{std::move(store)}, key_{key_of(scope)}, self_{std::move(self)}, token_{std::move(token)}, lease_{lease} {}

std::string leader::value() {
  return nlohmann::ordered_json{{"holder", self_}, {"token", token_}, {"turn", ++turn_}, {"lease_s", lease_.count()}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool leader::leads(core::time_point now) const noexcept { return version_ && now < until_; }

core::expected<bool> leader::renew(core::time_point now) {
  if (version_) {
    auto written = store_->replace(key_, value(), *version_);
    if (!written || *written) return took(std::move(written), now);
    version_.reset(); // another took it; or an earlier write was made whose answer got lost
  }
  return look(now);
}

core::expected<bool> leader::took(core::expected<std::optional<std::string>> written, core::time_point asked) {
  if (!written) return tl::unexpected{written.error()};
  if (!*written) return false;
  version_ = std::move(**written);
  until_ = later(asked, lease_ * share_held);
  who_ = self_;
  return true;
}

core::expected<bool> leader::look(core::time_point now) {
  auto found = store_->read(key_);
  if (!found) return tl::unexpected{found.error()};
  if (!*found) {
    who_.clear();
    return took(store_->create(key_, value()), now);
  }
  const auto other = read_claim(**found);
  if (!other) return tl::unexpected{other.error()};
  if (other->token == token_) return took(store_->replace(key_, value(), (*found)->version), now);
  who_ = other->holder;
  if (seen_ != (*found)->version) {
    seen_ = (*found)->version;
    seen_at_ = now;
    return false;
  }
  if (now < later(seen_at_, std::max(lease_, other->lease))) return false;
  return took(store_->replace(key_, value(), seen_), now);
}

core::expected<void> leader::resign() {
  if (!version_) return {};
  const auto version = std::exchange(version_, std::nullopt);
  if (auto removed = store_->remove(key_, *version); !removed) return tl::unexpected{removed.error()};
  return {};
}

} // namespace penstock::scaling
