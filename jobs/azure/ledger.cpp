#include "jobs/azure/ledger.hpp"

#include <fmt/format.h>
#include <utility>

namespace penstock::jobs::azure {
namespace {

using headers = std::vector<std::pair<std::string, std::string>>;

/// Statuses of a condition that does not hold.
bool is_other(const http_response& answer) {
  return answer.status == 404 || answer.status == 409 || answer.status == 412;
}

class azure_ledger final : public jobs::ledger {
 public:
  azure_ledger(std::shared_ptr<service> blob, std::string container)
      : blob_{std::move(blob)}, container_{std::move(container)} {}

  core::expected<std::optional<std::string>> create(std::string_view key, std::string_view value) override {
    return write(key, value, {"If-None-Match", "*"});
  }

  core::expected<std::optional<std::string>> replace(std::string_view key, std::string_view value,
                                                     std::string_view version) override {
    return write(key, value, {"If-Match", std::string{version}});
  }

  core::expected<bool> remove(std::string_view key, std::string_view version) override {
    const auto answer = blob_->call("DELETE", path_of(key), {{"If-Match", std::string{version}}});
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status == 202) return true;
    if (is_other(*answer)) return false;
    return refused(key, *answer);
  }

  core::expected<std::optional<entry>> read(std::string_view key) override {
    auto answer = blob_->call("GET", path_of(key));
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status == 404) return std::nullopt;
    if (answer->status != 200) return refused(key, *answer);
    auto version = answer->header("etag");
    if (version.empty()) return core::fail(core::errc::corrupt, std::string{key} + ": an answer without an entity tag");
    return entry{std::string{key}, std::move(answer->body), std::move(version)};
  }

  core::expected<entry_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    const auto names = list_container(*blob_, marks_, container_, prefix, after, limit);
    if (!names) return tl::unexpected{names.error()};
    entry_page out;
    out.last = names->last;
    for (const auto& each : names->blobs) {
      auto found = read(each.name);
      if (!found) return tl::unexpected{found.error()};
      if (*found) out.entries.push_back(std::move(**found));
    }
    return out;
  }

 private:
  [[nodiscard]] std::string path_of(std::string_view key) const { return fmt::format("/{}/{}", container_, key); }

  core::expected<std::optional<std::string>> write(std::string_view key, std::string_view value,
                                                   std::pair<std::string, std::string> condition) {
    const headers with{
        {"x-ms-blob-type", "BlockBlob"}, {"Content-Type", "application/octet-stream"}, std::move(condition)};
    const auto answer = blob_->call("PUT", path_of(key), with, std::string{value});
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status == 201) return answer->header("etag");
    if (is_other(*answer)) return std::nullopt;
    return refused(key, *answer);
  }

  std::shared_ptr<service> blob_;
  std::string container_;
  list_marks marks_;
};

} // namespace

std::shared_ptr<jobs::ledger> make_ledger(std::shared_ptr<service> blob, std::string container) {
  return std::make_shared<azure_ledger>(std::move(blob), std::move(container));
}

} // namespace penstock::jobs::azure
