#include "scaling/azure/operations.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace penstock::scaling::azure {
namespace {

using namespace std::chrono_literals;

core::time_point::duration pause_of(const http_response& answer) {
  const auto wanted = jobs::azure::wanted_pause(answer);
  return wanted.count() == 0 ? 10'000ms : std::clamp<std::chrono::milliseconds>(wanted, 1s, 5min);
}

} // namespace

void operations::keep(std::string what, const http_response& answer) {
  operation made;
  made.what = std::move(what);
  made.url = answer.header("azure-asyncoperation");
  made.tells_status = !made.url.empty();
  // Without a status of its own only 202 means that there is more to come.
  if (made.url.empty() && answer.status == 202) made.url = answer.header("location");
  if (made.url.empty()) return;
  made.due = arm_.now() + pause_of(answer);
  made.give_up = arm_.now() + 2h;
  going_.push_back(std::move(made));
}

bool operations::ask(operation& each, std::vector<ended_operation>& ended, bool& is_away) {
  const auto now = arm_.now();
  if (now >= each.give_up) {
    ended.push_back({each.what, refused_request{refusal::other, 0, "", "it had not ended after two hours"}});
    return true;
  }
  if (now < each.due) return false;
  const auto answer = arm_.call("GET", each.url);
  if (!answer) {
    if (answer.error().code == core::errc::corrupt) {
      ended.push_back({each.what, refused_request{refusal::other, 0, "", answer.error().message}});
      return true;
    }
    is_away = true;
    each.due = now + 10s; // away or throttled: it is asked again
    return false;
  }
  each.due = now + pause_of(*answer);
  if (answer->status == 404) {
    ended.push_back({each.what, std::nullopt});
    return true;
  }
  if (answer->status == 429 || answer->status >= 500) return false;
  if (answer->status >= 400) {
    ended.push_back({each.what, read_refusal(*answer)});
    return true;
  }
  if (!each.tells_status) {
    if (answer->status == 202) return false;
    ended.push_back({each.what, std::nullopt});
    return true;
  }
  const auto body = nlohmann::json::parse(answer->body, nullptr, false);
  const auto said = body.is_object() ? body.find("status") : body.end();
  const auto status = said != body.end() && said->is_string() ? said->get<std::string>() : std::string{};
  if (status == "Succeeded") {
    ended.push_back({each.what, std::nullopt});
    return true;
  }
  if (status == "Failed" || status == "Canceled") {
    auto why = read_refusal(0, body.value("error", nlohmann::json::object()));
    if (why.code.empty()) why.code = status;
    ended.push_back({each.what, std::move(why)});
    return true;
  }
  return false;
}

std::vector<ended_operation> operations::follow() {
  std::vector<ended_operation> ended;
  bool is_away = false; // then the others would only wait for it, too
  std::erase_if(going_, [&](operation& each) { return !is_away && ask(each, ended, is_away); });
  return ended;
}

bool operations::goes_on(std::string_view what) const {
  return std::any_of(going_.begin(), going_.end(), [&](const operation& each) { return each.what == what; });
}

} // namespace penstock::scaling::azure
