#include "scaling/azure/scheduled_events.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>

#include "jobs/azure/http.hpp"

namespace penstock::scaling::azure {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

struct kind_line {
  event_kind kind;
  std::string_view name;
  std::chrono::seconds notice;
};
constexpr std::array kinds{
    kind_line{event_kind::freeze, "Freeze", 15min}, kind_line{event_kind::reboot, "Reboot", 15min},
    kind_line{event_kind::redeploy, "Redeploy", 10min}, kind_line{event_kind::preempt, "Preempt", 30s},
    kind_line{event_kind::terminate, "Terminate", 5min}};

const kind_line& line_of(event_kind kind) {
  return *std::find_if(kinds.begin(), kinds.end(), [kind](const kind_line& each) { return each.kind == kind; });
}

/// Names of Azure's resources differ by more than their case.
bool is_same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string text_at(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<std::chrono::sys_seconds> time_of(const std::string& text) {
  const auto ms = text.empty() ? -1 : jobs::azure::parse_http_date(text);
  if (ms < 0) return std::nullopt;
  return std::chrono::sys_seconds{std::chrono::seconds{ms / 1'000}};
}

} // namespace

std::string_view to_string(event_kind kind) noexcept { return line_of(kind).name; }

std::chrono::seconds least_notice(event_kind kind) noexcept { return line_of(kind).notice; }

core::expected<events_document> parse_events(std::string_view text) {
  const auto wrong = [](const char* why) {
    return core::fail(core::errc::corrupt, std::string{"scheduled events: "} + why);
  };
  const auto body = json::parse(text, nullptr, false);
  if (!body.is_object()) return wrong("the answer is no JSON object");
  const auto incarnation = body.find("DocumentIncarnation");
  const auto events = body.find("Events");
  if (incarnation == body.end() || !incarnation->is_number_integer()) return wrong("no DocumentIncarnation");
  if (events == body.end() || !events->is_array()) return wrong("no Events");
  events_document out{incarnation->get<std::int64_t>(), {}};
  for (const auto& each : *events) {
    if (!each.is_object()) return wrong("an event that is no object");
    scheduled_event event;
    event.id = text_at(each, "EventId");
    const auto resources = each.find("Resources");
    if (event.id.empty() || resources == each.end() || !resources->is_array()) {
      return wrong("an event without EventId or Resources");
    }
    for (const auto& name : *resources) {
      if (name.is_string()) event.resources.push_back(name.get<std::string>());
    }
    const auto kind = text_at(each, "EventType");
    const auto line = std::find_if(kinds.begin(), kinds.end(), [&](const kind_line& one) { return one.name == kind; });
    if (line == kinds.end()) continue;
    event.kind = line->kind;
    event.started = text_at(each, "EventStatus") == "Started";
    const auto not_before = text_at(each, "NotBefore");
    event.not_before = time_of(not_before);
    if (!not_before.empty() && !event.not_before) return wrong("an event whose NotBefore is no time");
    out.events.push_back(std::move(event));
  }
  return out;
}

void scheduled_events::read(const events_document& document, const reading_time& when) {
  std::map<std::string, known> now;
  for (const auto& event : document.events) {
    const auto is_here = std::any_of(event.resources.begin(), event.resources.end(),
                                     [&](const std::string& name) { return is_same_name(name, machine_); });
    if (!is_here) continue;
    const auto before = known_.find(event.id);
    auto notice = least_notice(event.kind);
    if (event.started) {
      notice = 0s;
    } else if (event.not_before) {
      const auto left = *event.not_before - when.theirs.value_or(when.ours);
      notice = std::max<std::chrono::seconds>(0s, when.theirs ? left : std::min(left, notice));
    }
    known entry{event, when.asked + notice, false};
    if (before != known_.end()) {
      entry.approved = before->second.approved;
      // The same start, read later by clocks of whole seconds: the earlier reading holds.
      if (before->second.event.not_before == event.not_before && before->second.event.started == event.started) {
        entry.until = std::min(entry.until, before->second.until);
      }
    } else if (event.kind == event_kind::freeze) {
      ++freezes_;
    }
    now.emplace(event.id, std::move(entry));
  }
  known_ = std::move(now);
  if (!wish()) drained_ = false; // what comes next is a new drain
}

std::optional<drain_wish> scheduled_events::wish() const {
  std::optional<drain_wish> first;
  for (const auto& [id, each] : known_) {
    if (each.event.kind == event_kind::freeze) continue;
    if (!first || each.until < first->until) first = drain_wish{id, each.event.kind, each.until};
  }
  return first;
}

std::vector<std::string> scheduled_events::to_approve() const {
  std::vector<std::string> out;
  if (!drained_) return out;
  for (const auto& [id, each] : known_) {
    const auto is_alone = std::all_of(each.event.resources.begin(), each.event.resources.end(),
                                      [&](const std::string& name) { return is_same_name(name, machine_); });
    if (each.event.kind != event_kind::freeze && !each.event.started && !each.approved && is_alone) out.push_back(id);
  }
  return out;
}

void scheduled_events::approved(const std::string& event) {
  if (const auto found = known_.find(event); found != known_.end()) found->second.approved = true;
}

} // namespace penstock::scaling::azure
