#include "gateway/routes/json.hpp"

#include <cmath>
#include <ctime>

#include "gateway/http/text.hpp"

namespace penstock::gateway {

std::string_view to_string(job_state s) noexcept {
  switch (s) {
  case job_state::queued: return "queued";
  case job_state::running: return "running";
  case job_state::done: return "done";
  case job_state::failed: return "failed";
  case job_state::cancelled: return "cancelled";
  case job_state::dead: return "dead";
  }
  return "unknown";
}

std::optional<job_state> job_state_named(std::string_view name) noexcept {
  for (const auto s : {job_state::queued, job_state::running, job_state::done, job_state::failed, job_state::cancelled,
                       job_state::dead}) {
    if (to_string(s) == name) return s;
  }
  return std::nullopt;
}

} // namespace penstock::gateway

namespace penstock::gateway::routes {

using nlohmann::ordered_json;

namespace {

std::string time_text(std::chrono::system_clock::time_point at) {
  const auto seconds = std::chrono::system_clock::to_time_t(at);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

double rounded(double value, double steps) { return std::round(value * steps) / steps; }

template <class T, class F>
ordered_json or_null(const std::optional<T>& value, F&& as) {
  return value ? ordered_json(as(*value)) : ordered_json(nullptr);
}

template <class T>
ordered_json list_of(const std::vector<T>& items) {
  auto list = ordered_json::array();
  for (const auto& i : items) list.push_back(to_json(i));
  return list;
}

} // namespace

ordered_json to_json(const detect_reply& r, const std::string& request_id) {
  auto objects = ordered_json::array();
  for (const auto& o : r.objects) {
    objects.push_back(
        {{"label", o.label}, {"class", o.class_index}, {"score", o.score}, {"box", {o.x, o.y, o.w, o.h}}});
  }
  return {{"width", r.width_px},
          {"height", r.height_px},
          {"objects", std::move(objects)},
          {"served_ms", rounded(r.served.count() * 1e3, 1000)},
          {"request", request_id}};
}

ordered_json to_json(const job_view& j) {
  const auto same = [](auto v) { return v; };
  return {{"id", j.id},
          {"state", to_string(j.state)},
          {"name", j.name},
          {"content_type", j.content_type},
          {"uri", j.uri},
          {"size_bytes", j.size_bytes},
          {"created", time_text(j.created)},
          {"finished", or_null(j.finished, time_text)},
          {"frames_done", j.frames_done},
          {"frames_total", or_null(j.frames_total, same)},
          {"dropped", ordered_json(j.dropped)},
          {"eta_s", or_null(j.eta, [](core::seconds s) { return rounded(s.count(), 10); })},
          {"attempts", j.attempts},
          {"max_attempts", j.max_attempts},
          {"worker", j.worker},
          {"error", j.error}};
}

ordered_json to_json(const job_page& p) {
  return {{"jobs", list_of(p.jobs)}, {"next", p.next.empty() ? ordered_json(nullptr) : ordered_json(p.next)}};
}

ordered_json to_json(const stream_view& s) {
  return {{"id", s.id},
          {"uri", s.uri},
          {"policy", s.policy},
          {"state", s.state},
          {"removable", s.removable},
          {"frames_per_s", rounded(s.frames_per_s, 100)},
          {"latency_p50_ms", rounded(s.latency_p50_s * 1e3, 10)},
          {"latency_p99_ms", rounded(s.latency_p99_s * 1e3, 10)},
          {"received", s.received},
          {"delivered", s.delivered},
          {"in_flight", s.in_flight},
          {"dropped", ordered_json(s.dropped)}};
}

ordered_json to_json(const state_view& s) {
  return {{"pipeline", s.pipeline},
          {"version", s.version},
          {"model", s.model},
          {"engine", s.engine},
          {"device", s.device},
          {"draining", s.draining},
          {"uptime_s", rounded(s.uptime.count(), 10)},
          {"streams", list_of(s.streams)},
          {"others", list_of(s.others)},
          {"workers", list_of(s.workers)},
          {"stages", list_of(s.stages)}};
}

ordered_json to_json(const account_view& a) {
  return {{"id", a.id},
          {"received", a.received},
          {"delivered", a.delivered},
          {"in_flight", a.in_flight},
          {"dropped", ordered_json(a.dropped)}};
}

ordered_json to_json(const worker_view& w) {
  return {{"name", w.name},     {"role", w.role},     {"state", w.state},
          {"stages", w.stages}, {"device", w.device}, {"load", w.load},
          {"leases", w.leases}, {"credit", w.credit}, {"heard_s", rounded(w.heard.count(), 1000)}};
}

ordered_json to_json(const stage_view& s) {
  return {{"name", s.name}, {"items_per_s", s.items_per_s}, {"utilisation", s.utilisation}, {"queue", s.queue}};
}

std::string text_of(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

bool wants_msgpack(const http::request& asked) {
  for (const auto range : http::split(asked.get("Accept"), ',')) {
    const auto type = http::media_type(range);
    if (http::same_word(type, "application/msgpack") || http::same_word(type, "application/x-msgpack")) return true;
  }
  return false;
}

http::response reply_with(int status, const ordered_json& value, const http::request& asked) {
  if (!wants_msgpack(asked)) return {status, "application/json", text_of(value) + "\n", {}};
  std::string bytes;
  ordered_json::to_msgpack(value, bytes);
  return {status, "application/msgpack", std::move(bytes), {{"Vary", "Accept"}}};
}

} // namespace penstock::gateway::routes
