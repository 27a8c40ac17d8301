#include "tests/unit/jobs/memory_stores.hpp"

#include <algorithm>

#include "tests/unit/jobs/backends.hpp"

namespace penstock::test {
namespace {

tl::unexpected<core::error> away() { return core::fail(core::errc::unavailable, "the store is away"); }

/// Makes a request with everything that can happen around it. `make(answer_is_lost_and_repeated)` does the work.
template <class Make>
auto request(memory_world& world, Make make) -> decltype(make()) {
  world.before();
  if (world.refuses()) return away();
  auto answer = make();
  world.after();
  if (world.draws.chance(world.rates.lost_answer)) return away();
  return answer;
}

class memory_ledger final : public jobs::ledger {
 public:
  explicit memory_ledger(memory_world& world) : world_{world} {}

  core::expected<std::optional<std::string>> create(std::string_view key, std::string_view value) override {
    return write(key, [&]() -> core::expected<std::optional<std::string>> {
      if (world_.entries.contains(std::string{key})) return std::nullopt;
      return put(key, value);
    });
  }

  core::expected<std::optional<std::string>> replace(std::string_view key, std::string_view value,
                                                     std::string_view version) override {
    return write(key, [&]() -> core::expected<std::optional<std::string>> {
      if (!is_at(key, version)) return std::nullopt;
      return put(key, value);
    });
  }

  core::expected<bool> remove(std::string_view key, std::string_view version) override {
    return request(world_, [&]() -> core::expected<bool> {
      if (!is_at(key, version)) return false;
      world_.watch(std::string{key}, &world_.entries.at(std::string{key}).value, nullptr);
      world_.entries.erase(std::string{key});
      return !world_.draws.chance(world_.rates.repeated);
    });
  }

  core::expected<std::optional<jobs::entry>> read(std::string_view key) override {
    return request(world_, [&]() -> core::expected<std::optional<jobs::entry>> {
      const auto found = world_.entries.find(std::string{key});
      if (found == world_.entries.end()) return std::nullopt;
      return jobs::entry{found->first, found->second.value, std::to_string(found->second.version)};
    });
  }

  core::expected<jobs::entry_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    return request(world_, [&]() -> core::expected<jobs::entry_page> {
      jobs::entry_page out;
      for (const auto& [key, kept] : world_.entries) {
        if (key <= after || !key.starts_with(prefix)) continue;
        if (out.entries.size() == limit) {
          out.last = false;
          break;
        }
        out.entries.push_back({key, kept.value, std::to_string(kept.version)});
      }
      return out;
    });
  }

 private:
  [[nodiscard]] bool is_at(std::string_view key, std::string_view version) const {
    const auto found = world_.entries.find(std::string{key});
    return found != world_.entries.end() && std::to_string(found->second.version) == version;
  }

  std::optional<std::string> put(std::string_view key, std::string_view value) {
    const std::string text{value};
    const auto found = world_.entries.find(std::string{key});
    world_.watch(std::string{key}, found == world_.entries.end() ? nullptr : &found->second.value, &text);
    world_.entries[std::string{key}] = {text, ++world_.versions};
    return std::to_string(world_.versions);
  }

  template <class Make>
  core::expected<std::optional<std::string>> write(std::string_view, Make make) {
    return request(world_, [&]() -> core::expected<std::optional<std::string>> {
      auto made = make();
      if (world_.draws.chance(world_.rates.repeated)) return std::nullopt;
      return made;
    });
  }

  memory_world& world_;
};

class memory_hints final : public jobs::hints {
 public:
  explicit memory_hints(memory_world& world) : world_{world} {}

  core::expected<void> push(std::string_view job) override {
    return request(world_, [&]() -> core::expected<void> {
      if (world_.hints_are_away) return away();
      if (world_.draws.chance(world_.rates.lost_hint)) return {};
      const auto copies = world_.draws.chance(world_.rates.doubled_hint) ? 2 : 1;
      for (int i = 0; i < copies; ++i) world_.hints[++world_.hint_numbers] = {std::string{job}, world_.now, 0};
      return {};
    });
  }

  core::expected<std::optional<jobs::hint>> pop(jobs::milliseconds invisible_for) override {
    return request(world_, [&]() -> core::expected<std::optional<jobs::hint>> {
      if (world_.hints_are_away) return away();
      const auto early = world_.draws.chance(world_.rates.early_hint);
      for (auto& [number, told] : world_.hints) {
        if (!early && told.visible > world_.now) continue;
        told.visible = world_.now + invisible_for;
        ++told.delivery;
        return jobs::hint{told.job, std::to_string(number) + "." + std::to_string(told.delivery)};
      }
      return std::nullopt;
    });
  }

  core::expected<void> extend(jobs::hint& held, jobs::milliseconds invisible_for) override {
    return change(held, [&](auto found) { found->second.visible = world_.now + invisible_for; });
  }

  core::expected<void> release(const jobs::hint& held, jobs::milliseconds delay) override {
    return change(held, [&](auto found) { found->second.visible = world_.now + delay; });
  }

  core::expected<void> acknowledge(const jobs::hint& held) override {
    return change(held, [&](auto found) { world_.hints.erase(found); });
  }

  core::expected<std::uint64_t> depth() override {
    return request(world_, [&]() -> core::expected<std::uint64_t> { return world_.hints.size(); });
  }

 private:
  template <class Change>
  core::expected<void> change(const jobs::hint& held, Change made) {
    return request(world_, [&]() -> core::expected<void> {
      const auto dot = held.receipt.find('.');
      const auto found = world_.hints.find(std::stoull(held.receipt.substr(0, dot)));
      if (found == world_.hints.end()) return core::fail(core::errc::not_found, "no such hint");
      // Acknowledgements are no fence: an old receipt works half of the time, as with real queues.
      const auto old = std::to_string(found->second.delivery) != held.receipt.substr(dot + 1);
      if (old && world_.draws.chance(0.5)) return core::fail(core::errc::not_found, "an old receipt");
      made(found);
      return {};
    });
  }

  memory_world& world_;
};

class memory_writer final : public jobs::blob_writer {
 public:
  memory_writer(memory_world& world, std::string name) : world_{world}, name_{std::move(name)} {}

  core::expected<void> write(std::span<const std::byte> bytes) override {
    for (const auto byte : bytes) content_ += static_cast<char>(byte);
    return {};
  }

  core::expected<jobs::publication> publish() override {
    return request(world_, [&]() -> core::expected<jobs::publication> {
      const auto [at, created] = world_.blobs.try_emplace(name_, memory_world::blob{content_, world_.now});
      if (!created || world_.draws.chance(world_.rates.repeated)) return jobs::publication::existed;
      return jobs::publication::created;
    });
  }

 private:
  memory_world& world_;
  std::string name_;
  std::string content_;
};

class memory_blobs final : public jobs::blobs {
 public:
  explicit memory_blobs(memory_world& world) : world_{world} {}

  core::expected<std::unique_ptr<jobs::blob_writer>> create(std::string_view name) override {
    return std::make_unique<memory_writer>(world_, std::string{name});
  }

  core::expected<std::unique_ptr<jobs::blob_reader>> open(std::string_view, std::uint64_t,
                                                          std::optional<std::uint64_t>) override {
    return core::fail(core::errc::unsupported, "not of use here");
  }

  core::expected<std::optional<jobs::blob_info>> stat(std::string_view name) override {
    return request(world_, [&]() -> core::expected<std::optional<jobs::blob_info>> {
      const auto found = world_.blobs.find(std::string{name});
      if (found == world_.blobs.end()) return std::nullopt;
      return info(*found);
    });
  }

  core::expected<bool> remove(std::string_view name) override {
    return request(world_, [&]() -> core::expected<bool> { return world_.blobs.erase(std::string{name}) != 0; });
  }

  core::expected<jobs::blob_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    return request(world_, [&]() -> core::expected<jobs::blob_page> {
      jobs::blob_page out;
      for (const auto& found : world_.blobs) {
        if (found.first <= after || !found.first.starts_with(prefix)) continue;
        if (out.blobs.size() == limit) {
          out.last = false;
          break;
        }
        out.blobs.push_back(info(found));
      }
      return out;
    });
  }

  core::expected<std::uint64_t> sweep_unpublished(jobs::wall_time) override { return 0; }

 private:
  static jobs::blob_info info(const std::pair<const std::string, memory_world::blob>& of) {
    return {of.first, of.second.content.size(), of.second.modified};
  }

  memory_world& world_;
};

} // namespace

jobs::job_stores memory_world::stores() {
  return {std::make_shared<memory_ledger>(*this), std::make_shared<memory_hints>(*this),
          std::make_shared<memory_blobs>(*this)};
}

void memory_world::before() {
  if (draws.chance(rates.crash)) throw crashed{};
  if (somebody_else && draws.chance(rates.interleave)) somebody_else();
}

void memory_world::after() {
  if (draws.chance(rates.crash)) throw crashed{};
}

/// The laws of a record, whoever writes it.
void memory_world::watch(const std::string& key, const std::string* from, const std::string* to) {
  if (!key.starts_with("job/")) return;
  const auto before = from != nullptr ? std::optional{take(jobs::decode_job(*from))} : std::nullopt;
  const auto after = to != nullptr ? std::optional{take(jobs::decode_job(*to))} : std::nullopt;
  using enum jobs::job_state;
  const auto wrong = [&](const char* law) {
    violation(key + ": " + law + "\n  " + (from != nullptr ? *from : "") + "\n  " + (to != nullptr ? *to : ""));
  };
  if (!after) {
    if (before->accepted && !is_final(before->state)) wrong("an accepted job is not forgotten while it is open");
    return;
  }
  if (after->attempts > after->max_attempts) wrong("no more attempts than allowed");
  if (!before) return;
  if (after->epoch < before->epoch || after->epoch > before->epoch + 1) wrong("epochs count up by one");
  if (before->state == done || before->state == cancelled) wrong("what is done or cancelled does not change");
  if (before->state == dead && after->state != queued) wrong("the dead are only queued again");
  if (before->accepted && !after->accepted) wrong("what was accepted stays so");
  if (!after->accepted && after->state != queued) wrong("what was not accepted is not worked on");
  if (after->held && before->held && after->held->token != before->held->token && before->held->expires > now) {
    wrong("a live lease is not given to another");
  }
  if (after->held && (!before->held || after->held->token != before->held->token) && after->epoch == before->epoch) {
    wrong("another lease is another epoch");
  }
  if (after->state == done) {
    if (!blobs.contains(after->result_blob)) wrong("what is done has a result");
    ++dones[after->id];
  }
}

} // namespace penstock::test
