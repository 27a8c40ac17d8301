#include "jobs/azure/retry.hpp"

#include <algorithm>
#include <charconv>
#include <thread>

namespace penstock::jobs::azure {
namespace {

core::expected<http_response> call_once(http_client& http, credential& let_in, const http_request& plain) {
  auto request = plain;
  if (auto signed_now = let_in.sign(request, std::chrono::system_clock::now()); !signed_now) {
    return tl::unexpected{signed_now.error()};
  }
  return http.once(request);
}

} // namespace

bool is_passing(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

milliseconds wanted_pause(const http_response& answer) {
  const auto text = answer.header("retry-after");
  int seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty()) return milliseconds{0};
  if (read.ec == std::errc{} && read.ptr == text.data() + text.size())
    return std::chrono::seconds{std::max(0, seconds)};
  const auto date = parse_http_date(text);
  if (date < 0) return milliseconds{0};
  // By the service's own clock where it tells, for ours may be off.
  const auto theirs = parse_http_date(answer.header("date"));
  const auto ours = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now()).time_since_epoch();
  return std::max(milliseconds{0}, milliseconds{date} - (theirs < 0 ? ours : milliseconds{theirs}));
}

core::expected<http_response> call_patiently(http_client& http, credential& let_in, const http_request& plain,
                                             const retry_rules& rules,
                                             const std::function<bool(const http_response&)>& may_mend) {
  milliseconds waited{0};
  auto pause = rules.first;
  bool refreshed = false;
  const auto started = std::chrono::steady_clock::now();
  while (true) {
    auto answer = call_once(http, let_in, plain);
    auto wait =
        pause + milliseconds{static_cast<std::int64_t>(rules.random() % static_cast<std::uint64_t>(pause.count()))};
    if (answer) {
      if ((answer->status == 401 || answer->status == 403) && !refreshed) {
        refreshed = true;
        if (let_in.refresh()) continue;
      }
      if (!may_mend(*answer)) return answer;
      wait = std::max(wait, wanted_pause(*answer));
    } else if (answer.error().code != core::errc::unavailable && answer.error().code != core::errc::timeout) {
      return answer;
    }
    const auto spent =
        std::max(waited, std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - started));
    if (spent + wait > rules.whole) return answer;
    if (rules.pause) {
      rules.pause(wait);
    } else {
      std::this_thread::sleep_for(wait);
    }
    waited += wait;
    pause = std::min(2 * pause, rules.longest);
  }
}

} // namespace penstock::jobs::azure
