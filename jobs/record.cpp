#include "jobs/record.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace penstock::jobs {
namespace {

using json = nlohmann::json;

constexpr std::array<std::pair<job_kind, std::string_view>, 2> kinds{
    {{job_kind::video, "video"}, {job_kind::image, "image"}}};
constexpr std::array<std::pair<job_state, std::string_view>, 5> states{{{job_state::queued, "queued"},
                                                                        {job_state::running, "running"},
                                                                        {job_state::done, "done"},
                                                                        {job_state::dead, "dead"},
                                                                        {job_state::cancelled, "cancelled"}}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value wanted) noexcept {
  for (const auto& [value, name] : table) {
    if (value == wanted) return name;
  }
  return "unknown";
}

template <class Value, std::size_t N>
std::optional<Value> value_in(const std::array<std::pair<Value, std::string_view>, N>& table,
                              std::string_view wanted) noexcept {
  for (const auto& [value, name] : table) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

/// Takes members out of an object, and remembers the first that is not as it should be.
class reader {
 public:
  explicit reader(const json& object) : object_{object} {}

  void text(const char* name, std::string& out) {
    if (const auto* found = member(name, &json::is_string)) out = found->get<std::string>();
  }
  void flag(const char* name, bool& out) {
    if (const auto* found = member(name, &json::is_boolean)) out = found->get<bool>();
  }
  template <class Number>
  void number(const char* name, Number& out) {
    const auto* found = member(name, &json::is_number_unsigned);
    if (found == nullptr) return;
    const auto value = found->get<std::uint64_t>();
    if (!std::in_range<Number>(value)) {
      wrong(name);
    } else {
      out = static_cast<Number>(value);
    }
  }
  void time(const char* name, wall_time& out) {
    const auto* found = member(name, &json::is_number_integer);
    if (found == nullptr) return;
    // Two hundred years either side of 1970: arithmetic on it cannot overflow.
    constexpr std::int64_t latest = 200LL * 366 * 24 * 3600 * 1000;
    if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(latest)) {
      wrong(name);
      return;
    }
    const auto value = found->get<std::int64_t>();
    if (value < -latest || value > latest) {
      wrong(name);
    } else {
      out = wall_time{milliseconds{value}};
    }
  }
  template <class Table, class Value>
  void choice(const char* name, const Table& table, Value& out) {
    const auto* found = member(name, &json::is_string);
    if (found == nullptr) return;
    if (const auto value = value_in(table, found->get_ref<const std::string&>())) {
      out = *value;
    } else {
      wrong(name);
    }
  }
  const json* object(const char* name) { return member(name, &json::is_object); }
  void require(const char* name) {
    if (!object_.contains(name)) wrong(name);
  }
  void wrong(std::string name) {
    if (wrong_.empty()) wrong_ = std::move(name);
  }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  const json* member(const char* name, bool (json::*is)() const noexcept) {
    const auto found = object_.find(name);
    if (found == object_.end()) return nullptr;
    if ((*found.*is)()) return &*found;
    wrong(name);
    return nullptr;
  }

  const json& object_;
  std::string wrong_;
};

std::int64_t count(wall_time time) { return time.time_since_epoch().count(); }

lease read_lease(const json& object, reader& outer) {
  lease out;
  reader in{object};
  in.text("worker", out.worker);
  in.number("epoch", out.epoch);
  in.text("token", out.token);
  in.time("expires", out.expires);
  in.number("frames_at_start", out.frames_at_start);
  in.require("epoch");
  in.require("token");
  if (!in.wrong().empty()) outer.wrong("lease." + in.wrong());
  return out;
}

frame_progress read_frames(const json& object, reader& outer) {
  frame_progress out;
  reader in{object};
  in.number("done", out.done);
  if (object.contains("total")) {
    std::uint64_t total = 0;
    in.number("total", total);
    out.total = total;
  }
  if (!in.wrong().empty()) outer.wrong("frames." + in.wrong());
  return out;
}

} // namespace

std::string_view to_string(job_kind kind) noexcept { return name_in(kinds, kind); }
std::string_view to_string(job_state state) noexcept { return name_in(states, state); }
std::optional<job_kind> parse_job_kind(std::string_view name) noexcept { return value_in(kinds, name); }
std::optional<job_state> parse_job_state(std::string_view name) noexcept { return value_in(states, name); }

std::string encode(const job& record) {
  json out{{"v", 1},
           {"id", record.id},
           {"kind", to_string(record.kind)},
           {"state", to_string(record.state)},
           {"attempts", record.attempts},
           {"max_attempts", record.max_attempts},
           {"epoch", record.epoch},
           {"not_before", count(record.not_before)},
           {"created", count(record.created)},
           {"updated", count(record.updated)},
           {"queued", count(record.queued)},
           {"hinted", count(record.hinted)}};
  if (!record.accepted) out["accepted"] = false;
  const auto text = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  text("input_blob", record.input_blob);
  text("input_uri", record.input_uri);
  text("name", record.name);
  text("content_type", record.content_type);
  if (record.input_bytes > 0) out["input_bytes"] = record.input_bytes;
  text("checkpoint", record.checkpoint);
  text("error", record.error);
  text("idempotency_key", record.idempotency_key);
  text("result_blob", record.result_blob);
  out["frames"] = json{{"done", record.frames.done}};
  if (record.frames.total) out["frames"]["total"] = *record.frames.total;
  if (record.held) {
    out["lease"] = json{{"worker", record.held->worker},
                        {"epoch", record.held->epoch},
                        {"token", record.held->token},
                        {"expires", count(record.held->expires)},
                        {"frames_at_start", record.held->frames_at_start}};
  }
  // Errors and checkpoints are text from elsewhere: what is no UTF-8 is replaced, not thrown over.
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

core::expected<job> decode_job(std::string_view text) {
  const auto parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) return core::fail(core::errc::corrupt, "a job's record is no JSON object");
  job out;
  reader in{parsed};
  for (const auto* name : {"v", "id", "kind", "state", "max_attempts", "epoch"}) in.require(name);
  std::uint32_t version = 0;
  in.number("v", version);
  if (version != 1) in.wrong("v");
  in.text("id", out.id);
  in.choice("kind", kinds, out.kind);
  in.choice("state", states, out.state);
  in.flag("accepted", out.accepted);
  in.text("input_blob", out.input_blob);
  in.text("input_uri", out.input_uri);
  in.text("name", out.name);
  in.text("content_type", out.content_type);
  in.number("input_bytes", out.input_bytes);
  in.number("attempts", out.attempts);
  in.number("max_attempts", out.max_attempts);
  in.number("epoch", out.epoch);
  in.time("not_before", out.not_before);
  in.text("checkpoint", out.checkpoint);
  in.text("error", out.error);
  in.time("created", out.created);
  in.time("updated", out.updated);
  in.time("queued", out.queued);
  in.time("hinted", out.hinted);
  in.text("idempotency_key", out.idempotency_key);
  in.text("result_blob", out.result_blob);
  if (const auto* frames = in.object("frames")) out.frames = read_frames(*frames, in);
  if (const auto* held = in.object("lease")) out.held = read_lease(*held, in);
  if ((out.state == job_state::running) != out.held.has_value()) in.wrong("lease");
  if (!in.wrong().empty()) return core::fail(core::errc::corrupt, "a job's record: '" + in.wrong() + "' is not right");
  return out;
}

std::string input_name(std::string_view id) { return std::string{id} + "/input"; }
std::string result_name(std::string_view id) { return std::string{id} + "/result"; }
std::string part_name(std::string_view id, std::string_view part) {
  return std::string{id} + "/parts/" + std::string{part};
}
std::string_view job_of_blob(std::string_view name) noexcept { return name.substr(0, name.find('/')); }

} // namespace penstock::jobs
