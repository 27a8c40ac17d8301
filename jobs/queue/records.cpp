#include "jobs/queue/records.hpp"

#include <span>

#include "core/sha256.hpp"

namespace penstock::jobs::queue {
namespace {

std::string text_of(wall_time now) { return std::to_string(now.time_since_epoch().count()); }

} // namespace

std::string key_of(std::string_view prefix, std::string_view id) { return std::string{prefix} + std::string{id}; }

std::string key_of_idempotency(std::string_view key) {
  return key_of(key_prefix, core::to_hex(core::sha256(std::as_bytes(std::span{key}))));
}

core::expected<versioned> decode_entry(const entry& found) {
  auto record = decode_job(found.value);
  if (!record) return core::fail(found.key, std::move(record.error()));
  if (key_of(job_prefix, record->id) != found.key) {
    return core::fail(core::errc::corrupt, found.key + ": holds the record of " + record->id);
  }
  return versioned{std::move(*record), found.version};
}

core::expected<std::optional<versioned>> read_job(ledger& store, std::string_view id) {
  auto found = store.read(key_of(job_prefix, id));
  if (!found) return tl::unexpected{found.error()};
  if (!*found) return std::nullopt;
  auto record = decode_entry(**found);
  if (!record) return tl::unexpected{record.error()};
  return std::move(*record);
}

std::string_view prefix_of(std::optional<job_state> state) noexcept {
  if (state == job_state::queued || state == job_state::running) return open_prefix;
  return state == job_state::dead ? dead_prefix : job_prefix;
}

core::expected<std::optional<job>> listed_job(ledger& store, std::string_view prefix, const entry& found,
                                              std::optional<job_state> state) {
  auto record = prefix == job_prefix ? decode_entry(found).map([](versioned v) { return std::optional{std::move(v)}; })
                                     : read_job(store, std::string_view{found.key}.substr(prefix.size()));
  if (!record) {
    if (record.error().code == core::errc::corrupt) return std::nullopt;
    return tl::unexpected{record.error()};
  }
  if (!*record || !(*record)->record.accepted) return std::nullopt;
  if (state && (*record)->record.state != *state) return std::nullopt;
  return std::move((*record)->record);
}

core::expected<void> mark(ledger& store, std::string_view prefix, std::string_view id, wall_time now) {
  const auto key = key_of(prefix, id);
  constexpr int most_tries = 32;
  for (int i = 0; i < most_tries; ++i) {
    auto made = store.create(key, text_of(now));
    if (!made) return tl::unexpected{made.error()};
    if (*made) return {};
    auto found = store.read(key);
    if (!found) return tl::unexpected{found.error()};
    if (!*found) continue;
    auto renewed = store.replace(key, text_of(now), (*found)->version);
    if (!renewed) return tl::unexpected{renewed.error()};
    if (*renewed) return {};
  }
  return core::fail(core::errc::unavailable, key + ": too many change it at once");
}

core::expected<std::optional<versioned>> create_job(ledger& store, const job& record) {
  const auto key = key_of(job_prefix, record.id);
  const auto value = encode(record);
  auto made = store.create(key, value);
  if (made && *made) return versioned{record, std::move(**made)};
  auto found = store.read(key);
  if (found && *found && (*found)->value == value) return versioned{record, std::move((*found)->version)};
  if (!made) return tl::unexpected{made.error()};
  if (!found) return tl::unexpected{found.error()};
  return std::nullopt;
}

core::expected<void> mark_before(ledger& store, const job& before, const job& after, wall_time now) {
  if (after.state == job_state::dead && before.state != job_state::dead) return mark(store, dead_prefix, after.id, now);
  if (is_final(before.state) && !is_final(after.state)) return mark(store, open_prefix, after.id, now);
  return {};
}

core::expected<std::optional<std::string>> write_job(ledger& store, const job& record, const std::string& version,
                                                     std::optional<versioned>& found) {
  const auto key = key_of(job_prefix, record.id);
  const auto value = encode(record);
  auto written = store.replace(key, value, version);
  if (written && *written) return written;
  // The answer of a write can get lost, and its repetition is then refused: what is there tells.
  auto there = store.read(key);
  if (there && *there && (*there)->value == value) return std::move((*there)->version);
  if (!written) return tl::unexpected{written.error()};
  if (!there) return tl::unexpected{there.error()};
  if (*there) {
    auto record_there = decode_entry(**there);
    if (!record_there) return tl::unexpected{record_there.error()};
    found = std::move(*record_there);
  }
  return std::nullopt;
}

} // namespace penstock::jobs::queue
