#include "jobs/nats/ledger.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "jobs/base64.hpp"
#include "jobs/nats/streams.hpp"

namespace penstock::jobs::nats {
namespace {

using nlohmann::json;

constexpr int wrong_sequence = 10071;
constexpr int no_message = 10037;

struct kept {
  std::string value;
  std::uint64_t sequence = 0;
  bool is_removed = false; ///< a mark that the key is gone, which is still there
};

class nats_ledger final : public jobs::ledger {
 public:
  nats_ledger(std::shared_ptr<connection> over, const std::string& name)
      : over_{std::move(over)}, stream_{"KV_" + name}, root_{"$KV." + name + "."} {}

  core::expected<std::optional<std::string>> create(std::string_view key, std::string_view value) override {
    auto made = publish(key, value, 0, {});
    if (!made || *made) return text(std::move(made));
    auto there = last(key);
    if (!there) return tl::unexpected{there.error()};
    if (!*there || !(*there)->is_removed) return std::nullopt;
    return text(publish(key, value, (*there)->sequence, {}));
  }

  core::expected<std::optional<std::string>> replace(std::string_view key, std::string_view value,
                                                     std::string_view version) override {
    const auto sequence = number_of(version);
    if (sequence == 0) return std::nullopt;
    return text(publish(key, value, sequence, {}));
  }

  core::expected<bool> remove(std::string_view key, std::string_view version) override {
    const auto sequence = number_of(version);
    if (sequence == 0) return false;
    auto marked = publish(key, {}, sequence, {{"KV-Operation", "DEL"}});
    if (!marked) return tl::unexpected{marked.error()};
    if (!*marked) return false;
    drop(**marked);
    return true;
  }

  core::expected<std::optional<entry>> read(std::string_view key) override {
    auto there = last(key);
    if (!there) return tl::unexpected{there.error()};
    if (!*there || (*there)->is_removed) return std::nullopt;
    return entry{std::string{key}, std::move((*there)->value), std::to_string((*there)->sequence)};
  }

  core::expected<entry_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    auto keys = keys_below(prefix);
    if (!keys) return tl::unexpected{keys.error()};
    std::sort(keys->begin(), keys->end());
    entry_page out;
    for (const auto& key : *keys) {
      if (key <= after || !key.starts_with(prefix)) continue;
      if (out.entries.size() == limit) {
        out.last = false;
        break;
      }
      auto there = last(key);
      if (!there) return tl::unexpected{there.error()};
      if (!*there) continue;
      if ((*there)->is_removed) {
        drop((*there)->sequence);
        continue;
      }
      out.entries.push_back({key, std::move((*there)->value), std::to_string((*there)->sequence)});
    }
    return out;
  }

 private:
  static std::uint64_t number_of(std::string_view version) {
    std::uint64_t out = 0;
    std::from_chars(version.data(), version.data() + version.size(), out);
    return out;
  }

  static core::expected<std::optional<std::string>> text(core::expected<std::optional<std::uint64_t>> sequence) {
    if (!sequence) return tl::unexpected{sequence.error()};
    if (!*sequence) return std::nullopt;
    return std::to_string(**sequence);
  }

  [[nodiscard]] std::string subject_of(std::string_view key) const {
    auto out = root_ + std::string{key};
    std::replace(out.begin() + static_cast<std::ptrdiff_t>(root_.size()), out.end(), '/', '.');
    return out;
  }

  /// Writes where the last message of the key has this number (0: where there is none): its own, or nullopt.
  core::expected<std::optional<std::uint64_t>> publish(std::string_view key, std::string_view value,
                                                       std::uint64_t expected, connection::headers with) {
    with.emplace_back("Nats-Expected-Last-Subject-Sequence", std::to_string(expected));
    auto answer = over_->api(subject_of(key), value, with);
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->error == wrong_sequence) return std::nullopt;
    if (answer->error != 0) return refused(stream_, *answer);
    const auto sequence = answer->body.find("seq");
    if (sequence == answer->body.end() || !sequence->is_number_unsigned()) {
      return core::fail(core::errc::corrupt, stream_ + ": an acknowledgement without a number");
    }
    return sequence->get<std::uint64_t>();
  }

  core::expected<std::optional<kept>> last(std::string_view key) {
    const json wanted{{"last_by_subj", subject_of(key)}};
    auto answer = over_->api("$JS.API.STREAM.MSG.GET." + stream_, wanted.dump());
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->error == no_message) return std::nullopt;
    if (answer->error != 0) return refused(stream_, *answer);
    const auto found = answer->body.find("message");
    const auto wrong = [&] { return core::fail(core::errc::corrupt, stream_ + ": a message that is none"); };
    if (found == answer->body.end() || !found->is_object()) return wrong();
    const auto sequence = found->find("seq");
    if (sequence == found->end() || !sequence->is_number_unsigned()) return wrong();
    const auto base64_of = [&](const char* name) -> std::optional<std::string> {
      const auto member = found->find(name);
      if (member == found->end()) return std::string{};
      return member->is_string() ? from_base64(member->get_ref<const std::string&>()) : std::nullopt;
    };
    auto value = base64_of("data");
    const auto head = base64_of("hdrs");
    if (!value || !head) return wrong();
    kept out;
    out.value = std::move(*value);
    out.sequence = sequence->get<std::uint64_t>();
    out.is_removed = head->find("KV-Operation:") != std::string::npos;
    return out;
  }

  /// Removes a mark, if it is still the last message of its key. Not by a purge of its subject: up to 2.9.17 a server
  /// that recovers from a crash purges the whole stream then (nats-server issue 4196).
  void drop(std::uint64_t sequence) {
    const json wanted{{"seq", sequence}, {"no_erase", true}};
    // A mark is as good as nothing; that it goes only saves space, and `list` tries again.
    static_cast<void>(over_->api("$JS.API.STREAM.MSG.DELETE." + stream_, wanted.dump()));
  }

  core::expected<std::vector<std::string>> keys_below(std::string_view prefix) {
    const auto folder = prefix.substr(0, prefix.rfind('/') + 1); // all of it, or nothing
    std::vector<std::string> out;
    while (true) {
      const json wanted{{"subjects_filter", subject_of(folder) + ">"}, {"offset", out.size()}};
      auto answer = over_->api("$JS.API.STREAM.INFO." + stream_, wanted.dump());
      if (!answer) return tl::unexpected{answer.error()};
      if (answer->error != 0) return refused(stream_, *answer);
      const auto subjects = answer->body.value(json::json_pointer{"/state/subjects"}, json::object());
      if (!subjects.is_object()) return core::fail(core::errc::corrupt, stream_ + ": subjects that are none");
      for (const auto& [subject, count] : subjects.items()) {
        if (!subject.starts_with(root_)) continue;
        auto key = subject.substr(root_.size());
        std::replace(key.begin(), key.end(), '.', '/');
        out.push_back(std::move(key));
      }
      const auto total = answer->body.value("total", std::size_t{0});
      if (subjects.empty() || out.size() >= total) return out;
    }
  }

  std::shared_ptr<connection> over_;
  std::string stream_;
  std::string root_;
};

} // namespace

core::expected<std::shared_ptr<jobs::ledger>> open_ledger(std::shared_ptr<connection> over, const address& to) {
  const json settings{{"name", "KV_" + to.name},
                      {"subjects", {"$KV." + to.name + ".>"}},
                      {"retention", "limits"},
                      {"max_msgs_per_subject", 1},
                      {"max_msgs", -1},
                      {"max_bytes", -1},
                      {"max_consumers", -1},
                      {"discard", "new"},
                      {"storage", "file"},
                      {"num_replicas", to.replicas},
                      {"deny_delete", false},
                      {"allow_rollup_hdrs", true},
                      // Reads are answered by the leader: those of a follower may be old.
                      {"allow_direct", false}};
  if (auto made = make_stream(*over, "KV_" + to.name, settings); !made) return tl::unexpected{made.error()};
  return std::make_shared<nats_ledger>(std::move(over), to.name);
}

} // namespace penstock::jobs::nats
