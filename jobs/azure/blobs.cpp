#include "jobs/azure/blobs.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "jobs/base64.hpp"
#include "jobs/ids.hpp"

namespace penstock::jobs::azure {
namespace {

constexpr std::size_t block_bytes = 4U << 20U;
constexpr std::size_t most_blocks = 50'000; // of a blob, by Azure's rules

core::expected<std::optional<std::pair<blob_info, std::string>>> stat_with_tag(service& on, const std::string& path,
                                                                               std::string_view name) {
  const auto answer = on.call("HEAD", path);
  if (!answer) return tl::unexpected{answer.error()};
  if (answer->status == 404) return std::nullopt;
  if (answer->status != 200) return refused(name, *answer);
  blob_info out;
  out.name = name;
  const auto size = answer->header("content-length");
  std::from_chars(size.data(), size.data() + size.size(), out.bytes);
  out.modified = wall_time{milliseconds{parse_http_date(answer->header("last-modified"))}};
  return std::pair{std::move(out), answer->header("etag")};
}

class azure_writer final : public blob_writer {
 public:
  azure_writer(std::shared_ptr<service> on, std::string path, std::string name, std::string token)
      : on_{std::move(on)}, path_{std::move(path)}, name_{std::move(name)}, token_{std::move(token)} {}

  core::expected<void> write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      if (filling_.size() == block_bytes) {
        if (auto sent = send_block(); !sent) return sent;
      }
      const auto n = std::min(bytes.size(), block_bytes - filling_.size());
      const auto old = filling_.size();
      filling_.resize(old + n);
      std::memcpy(filling_.data() + old, bytes.data(), n);
      bytes = bytes.subspan(n);
    }
    return {};
  }

  core::expected<publication> publish() override {
    if (blocks_ == 0) {
      return finish(on_->call("PUT", path_, {{"x-ms-blob-type", "BlockBlob"}, only_new, type}, std::move(filling_)));
    }
    if (!filling_.empty()) {
      if (auto sent = send_block(); !sent) return tl::unexpected{sent.error()};
    }
    std::string list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
    for (std::size_t i = 0; i < blocks_; ++i) list += "<Latest>" + id_of(i) + "</Latest>";
    list += "</BlockList>";
    return finish(on_->call("PUT", path_ + "?comp=blocklist", {only_new, {"Content-Type", "application/xml"}}, list));
  }

 private:
  static inline const std::pair<std::string, std::string> only_new{"If-None-Match", "*"};
  static inline const std::pair<std::string, std::string> type{"Content-Type", "application/octet-stream"};

  /// Writers of one name do not touch each other's blocks; all ids of a blob must have one length.
  [[nodiscard]] std::string id_of(std::size_t block) const { return to_base64(fmt::format("{}{:08}", token_, block)); }

  core::expected<void> send_block() {
    if (blocks_ == most_blocks) {
      return core::fail(core::errc::too_large, fmt::format("{}: more than {} blocks", name_, most_blocks));
    }
    const auto path = path_ + "?comp=block&blockid=" + percent_encoded(id_of(blocks_));
    const auto answer = on_->call("PUT", path, {type}, std::exchange(filling_, {}));
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 201) return refused(name_, *answer);
    ++blocks_;
    return {};
  }

  core::expected<publication> finish(const core::expected<http_response>& answer) {
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status == 201) return publication::created;
    if (answer->status == 409 || answer->status == 412) return publication::existed;
    if (answer->status == 400) {
      // Another writer's publication has thrown our blocks away.
      const auto there = stat_with_tag(*on_, path_, name_);
      if (!there) return tl::unexpected{there.error()};
      if (*there) return publication::existed;
    }
    return refused(name_, *answer);
  }

  std::shared_ptr<service> on_;
  std::string path_;
  std::string name_;
  std::string token_;
  std::string filling_;
  std::size_t blocks_ = 0;
};

class azure_reader final : public blob_reader {
 public:
  azure_reader(std::shared_ptr<service> on, std::string path, std::string tag, std::uint64_t bytes,
               std::uint64_t offset, std::uint64_t end)
      : on_{std::move(on)}, path_{std::move(path)}, tag_{std::move(tag)}, bytes_{bytes}, offset_{offset}, end_{end} {}

  std::uint64_t blob_bytes() const noexcept override { return bytes_; }

  core::expected<std::size_t> read(std::span<std::byte> into) override {
    if (used_ == piece_.size()) {
      if (offset_ >= end_ || into.empty()) return 0;
      if (auto got = fetch(); !got) return tl::unexpected{got.error()};
    }
    const auto n = std::min(into.size(), piece_.size() - used_);
    std::memcpy(into.data(), piece_.data() + used_, n);
    used_ += n;
    return n;
  }

 private:
  core::expected<void> fetch() {
    const auto last = std::min<std::uint64_t>(end_, offset_ + block_bytes) - 1;
    // The tag: a blob that was removed and made again in between is not mixed with itself.
    auto answer =
        on_->call("GET", path_, {{"x-ms-range", fmt::format("bytes={}-{}", offset_, last)}, {"If-Match", tag_}});
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 206 && answer->status != 200) return refused(path_, *answer);
    if (answer->body.size() != last - offset_ + 1) {
      return core::fail(core::errc::corrupt, path_ + ": an answer of another length than asked for");
    }
    offset_ = last + 1;
    piece_ = std::move(answer->body);
    used_ = 0;
    return {};
  }

  std::shared_ptr<service> on_;
  std::string path_;
  std::string tag_;
  std::uint64_t bytes_;
  std::uint64_t offset_;
  std::uint64_t end_;
  std::string piece_;
  std::size_t used_ = 0;
};

class azure_blobs final : public jobs::blobs {
 public:
  azure_blobs(std::shared_ptr<service> on, std::string container)
      : on_{std::move(on)}, container_{std::move(container)}, random_{system_random()} {}

  core::expected<std::unique_ptr<blob_writer>> create(std::string_view name) override {
    auto path = path_of(name);
    if (!path) return tl::unexpected{path.error()};
    return std::make_unique<azure_writer>(on_, std::move(*path), std::string{name}, make_token(random_));
  }

  core::expected<std::unique_ptr<blob_reader>> open(std::string_view name, std::uint64_t offset,
                                                    std::optional<std::uint64_t> length) override {
    auto path = path_of(name);
    if (!path) return tl::unexpected{path.error()};
    auto there = stat_with_tag(*on_, *path, name);
    if (!there) return tl::unexpected{there.error()};
    if (!*there) return core::fail(core::errc::not_found, std::string{name} + ": there is no such blob");
    auto& [info, tag] = **there;
    const auto begin = std::min(offset, info.bytes);
    const auto end = begin + std::min(info.bytes - begin, length.value_or(info.bytes));
    return std::make_unique<azure_reader>(on_, std::move(*path), std::move(tag), info.bytes, begin, end);
  }

  core::expected<std::optional<blob_info>> stat(std::string_view name) override {
    const auto path = path_of(name);
    if (!path) return tl::unexpected{path.error()};
    auto there = stat_with_tag(*on_, *path, name);
    if (!there) return tl::unexpected{there.error()};
    if (!*there) return std::nullopt;
    return std::move((*there)->first);
  }

  core::expected<bool> remove(std::string_view name) override {
    const auto path = path_of(name);
    if (!path) return tl::unexpected{path.error()};
    const auto answer = on_->call("DELETE", *path);
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status == 202) return true;
    if (answer->status == 404) return false;
    return refused(name, *answer);
  }

  core::expected<blob_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    auto found = list_container(*on_, marks_, container_, prefix, after, limit);
    if (!found) return tl::unexpected{found.error()};
    blob_page out;
    out.last = found->last;
    for (auto& each : found->blobs) {
      out.blobs.push_back({std::move(each.name), each.bytes, wall_time{milliseconds{each.modified_ms}}});
    }
    return out;
  }

  core::expected<std::uint64_t> sweep_unpublished(wall_time) override { return 0; }

 private:
  [[nodiscard]] core::expected<std::string> path_of(std::string_view name) const {
    if (!is_blob_name(name)) {
      return core::fail(core::errc::invalid_argument, fmt::format("'{}' is no name of a blob", name));
    }
    return fmt::format("/{}/{}", container_, name);
  }

  std::shared_ptr<service> on_;
  std::string container_;
  random_bits random_;
  list_marks marks_;
};

} // namespace

std::shared_ptr<jobs::blobs> make_blobs(std::shared_ptr<service> blob, std::string container) {
  return std::make_shared<azure_blobs>(std::move(blob), std::move(container));
}

} // namespace penstock::jobs::azure
