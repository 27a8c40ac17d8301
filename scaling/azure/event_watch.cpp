#include "scaling/azure/event_watch.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace penstock::scaling::azure {
namespace {

using namespace std::chrono_literals;
using jobs::azure::http_request;

constexpr std::string_view events_path = "/metadata/scheduledevents?api-version=2020-07-01";
constexpr std::size_t most_bytes = 1U << 20U;

http_request request_to(const std::string& endpoint, std::string_view path) {
  http_request out;
  out.url = endpoint + std::string{path};
  out.headers.emplace_back("Metadata", "true");
  return out;
}

core::error refused(std::string_view what, const jobs::azure::http_response& answer) {
  return {core::errc::unavailable, fmt::format("metadata service: {}: status {}", what, answer.status)};
}

} // namespace

core::expected<std::string> machine_name(jobs::azure::http_client& http, const std::string& endpoint) {
  const auto answer =
      http.once(request_to(endpoint, "/metadata/instance/compute/name?api-version=2021-02-01&format=text"));
  if (!answer) return core::fail("metadata service", answer.error());
  if (answer->status != 200) return tl::unexpected{refused("the machine's name", *answer)};
  if (answer->body.empty() || answer->body.size() > 256) {
    return core::fail(core::errc::corrupt, "metadata service: no name of a machine in the answer");
  }
  return answer->body;
}

event_watch::event_watch(event_watch_options options, event_watch_clocks clocks)
    : options_{std::move(options)}, clocks_{std::move(clocks)},
      patient_{{options_.connect, options_.first, most_bytes}}, brisk_{{options_.connect, options_.later, most_bytes}} {
  if (!options_.machine.empty()) events_.emplace(options_.machine);
}

event_watch::outcome event_watch::poll() {
  auto done = read();
  if (done) done = approve();
  outcome out;
  if (done) {
    told_.reset();
    return out;
  }
  // Before its first answer it may be that there is none: this machine is not Azure's.
  if (!has_answered_) {
    out.next = silence_;
    silence_ = std::min<std::chrono::milliseconds>(2 * silence_, 60s);
  }
  if (told_ != done.error().code) out.trouble = done.error();
  told_ = done.error().code;
  return out;
}

core::expected<void> event_watch::read() {
  if (!events_) {
    auto name = machine_name(brisk_, options_.endpoint);
    if (!name) return tl::unexpected{name.error()};
    events_.emplace(std::move(*name));
  }
  const reading_time asked{clocks_.deadlines(), clocks_.calendar(), std::nullopt};
  const auto answer = (has_answered_ ? brisk_ : patient_).once(request_to(options_.endpoint, events_path));
  if (!answer) return core::fail("metadata service", answer.error());
  if (answer->status != 200) return tl::unexpected{refused("scheduled events", *answer)};
  const auto document = parse_events(answer->body);
  if (!document) return tl::unexpected{document.error()};
  has_answered_ = true;
  auto when = asked;
  if (const auto date = jobs::azure::parse_http_date(answer->header("date")); date >= 0) {
    when.theirs = std::chrono::sys_seconds{std::chrono::seconds{date / 1'000}};
  }
  events_->read(*document, when);
  return {};
}

core::expected<void> event_watch::approve() {
  constexpr int most_tries = 10;
  for (const auto& event : events_->to_approve()) {
    auto request = request_to(options_.endpoint, events_path);
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = nlohmann::json{{"StartRequests", {{{"EventId", event}}}}}.dump();
    const auto answer = brisk_.once(request);
    if (answer && answer->status == 200) {
      events_->approved(event);
      continue;
    }
    // Azure goes on by itself when the notice is over: giving up costs time only.
    if (++tries_[event] == most_tries) events_->approved(event);
    if (!answer) return core::fail("metadata service", answer.error());
    return tl::unexpected{refused("approving event " + event, *answer)};
  }
  return {};
}

std::optional<drain_wish> event_watch::wish() const { return events_ ? events_->wish() : std::nullopt; }

void event_watch::drained() {
  if (events_) events_->drained();
}

std::uint64_t event_watch::freezes() const { return events_ ? events_->freezes() : 0; }

} // namespace penstock::scaling::azure
