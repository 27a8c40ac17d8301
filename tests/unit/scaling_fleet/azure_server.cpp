#include "tests/unit/scaling_fleet/azure_server.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "jobs/azure/http.hpp"

namespace penstock::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

std::string error_body(const std::string& code, const std::string& message, const std::string& target = {}) {
  json error{{"code", code}, {"message", message}};
  if (!target.empty()) error["target"] = target;
  return json{{"error", error}}.dump();
}

std::string argument(const std::string& query, const std::string& name) {
  const auto start = ("&" + query).find("&" + name + "=");
  if (start == std::string::npos) return {};
  const auto value = query.substr(start + name.size() + 1);
  return jobs::azure::percent_decoded(value.substr(0, value.find('&')));
}

} // namespace

azure_server::azure_server(azure_behaviour behaviour, std::uint64_t seed)
    : behaviour_{behaviour}, draws_{seed}, door_{[this](const seen_request& request) { return answer(request); }} {}

void azure_server::advance(std::chrono::milliseconds time) {
  const std::lock_guard lock{mutex_};
  now_ += time;
  settle();
}

core::time_point azure_server::now() {
  const std::lock_guard lock{mutex_};
  return core::time_point{} + 1h + now_;
}

std::chrono::sys_seconds azure_server::calendar() {
  const std::lock_guard lock{mutex_};
  return azure_calendar() - behaviour_.ahead;
}

std::chrono::sys_seconds azure_server::azure_calendar() const {
  return std::chrono::sys_days{std::chrono::year{2026} / 3 / 1} + std::chrono::floor<std::chrono::seconds>(now_) +
         behaviour_.ahead;
}

void azure_server::change(const std::function<void(azure_behaviour&)>& how) {
  const std::lock_guard lock{mutex_};
  how(behaviour_);
}

void azure_server::answer_next(std::string part, std::vector<std::string> answers) {
  const std::lock_guard lock{mutex_};
  scripted_[std::move(part)] = std::move(answers);
}

void azure_server::vanish(const std::string& id) {
  const std::lock_guard lock{mutex_};
  machines_.erase(id);
}

void azure_server::forget_tokens() {
  const std::lock_guard lock{mutex_};
  tokens_.clear();
}

void azure_server::set_capacity(int to) {
  const std::lock_guard lock{mutex_};
  capacity_ = to;
  ++etag_;
}

int azure_server::capacity() {
  const std::lock_guard lock{mutex_};
  return capacity_;
}

int azure_server::largest_capacity() {
  const std::lock_guard lock{mutex_};
  return largest_capacity_;
}

std::vector<std::string> azure_server::running() {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> out;
  for (const auto& [id, each] : machines_) {
    if (!each.gone_at && !each.failed && each.runs_at <= now_) out.push_back(id);
  }
  return out;
}

std::vector<std::string> azure_server::present() {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> out;
  for (const auto& [id, each] : machines_) {
    if (!each.gone_at) out.push_back(id);
  }
  return out;
}

bool azure_server::is_protected(const std::string& id) {
  const std::lock_guard lock{mutex_};
  return machines_.contains(id) && machines_.at(id).is_protected;
}

std::set<std::string> azure_server::deleted_by_name() {
  const std::lock_guard lock{mutex_};
  return by_name_;
}

std::set<std::string> azure_server::deleted_by_choice() {
  const std::lock_guard lock{mutex_};
  return by_choice_;
}

int azure_server::count(const std::string& part) {
  const std::lock_guard lock{mutex_};
  return static_cast<int>(std::count_if(lines_.begin(), lines_.end(),
                                        [&](const std::string& line) { return line.find(part) != std::string::npos; }));
}

int azure_server::faults() {
  const std::lock_guard lock{mutex_};
  return faults_;
}

void azure_server::schedule(const std::string& event, const std::string& kind, std::vector<std::string> resources,
                            std::chrono::seconds notice) {
  const std::lock_guard lock{mutex_};
  events_[event] = {{"EventId", event},
                    {"EventStatus", "Scheduled"},
                    {"EventType", kind},
                    {"ResourceType", "VirtualMachine"},
                    {"Resources", std::move(resources)},
                    {"NotBefore", jobs::azure::http_date(azure_calendar() + notice)},
                    {"Description", ""},
                    {"EventSource", "Platform"},
                    {"DurationInSeconds", -1}};
  ++incarnation_;
}

void azure_server::start(const std::string& event) {
  const std::lock_guard lock{mutex_};
  events_.at(event)["EventStatus"] = "Started";
  events_.at(event)["NotBefore"] = "";
  ++incarnation_;
}

void azure_server::withdraw(const std::string& event) {
  const std::lock_guard lock{mutex_};
  events_.erase(event);
  ++incarnation_;
}

std::vector<std::string> azure_server::approved() {
  const std::lock_guard lock{mutex_};
  return approved_;
}

std::vector<json> azure_server::metrics() {
  const std::lock_guard lock{mutex_};
  return metrics_;
}

int azure_server::staying() const {
  return static_cast<int>(
      std::count_if(machines_.begin(), machines_.end(), [](const auto& each) { return !each.second.gone_at; }));
}

void azure_server::settle() {
  std::erase_if(machines_, [this](const auto& each) { return each.second.gone_at && *each.second.gone_at <= now_; });
}

std::optional<azure_server::reply> azure_server::fault() {
  const auto throttled = draws_.chance(behaviour_.faults);
  const auto busy = draws_.chance(behaviour_.faults);
  const auto conflicts = draws_.chance(behaviour_.faults);
  if (throttled || busy || conflicts) ++faults_;
  if (throttled) {
    const auto pause = std::to_string(draws_.between(0, 30));
    return reply{429, "Retry-After: " + pause + "\r\n", error_body("TooManyRequests", "Slow down")};
  }
  if (busy) return reply{503, "", error_body("ServiceUnavailable", "Not now")};
  if (conflicts) return reply{409, "", error_body("Conflict", "Another operation is in progress")};
  return std::nullopt;
}

std::optional<std::string> azure_server::answer(const seen_request& request) {
  const std::lock_guard lock{mutex_};
  lines_.push_back(request.line);
  settle();
  for (auto& [part, answers] : scripted_) {
    if (answers.empty() || request.line.find(part) == std::string::npos) continue;
    auto out = std::move(answers.front());
    answers.erase(answers.begin());
    if (out.empty()) return std::nullopt;
    return out;
  }
  const auto is_arm = request.line.find(" /metadata/") == std::string::npos;
  const auto unheard = is_arm && draws_.chance(behaviour_.faults);
  const auto lost = is_arm && draws_.chance(behaviour_.faults);
  if (unheard || lost) ++faults_;
  if (unheard) return std::nullopt;
  auto faulty = is_arm ? fault() : std::nullopt;
  const auto made = faulty ? *faulty : route(request);
  if (lost) return std::nullopt;
  return http_answer(made.status, "Date: " + jobs::azure::http_date(azure_calendar()) + "\r\n" + made.headers,
                     made.body);
}

azure_server::reply azure_server::route(const seen_request& request) {
  const auto start = request.line.find(' ') + 1;
  const auto target = request.line.substr(start, request.line.rfind(' ') - start);
  const auto path = target.substr(0, target.find('?'));
  if (path.starts_with("/metadata/")) return metadata(request, target);
  if (path == std::string{resource_id} + "/metrics") return take_metrics(request);
  return arm(request, target);
}

azure_server::reply azure_server::metadata(const seen_request& request, const std::string& target) {
  const auto path = target.substr(0, target.find('?'));
  const auto query = target.substr(std::min(target.find('?') + 1, target.size()));
  if (request.header("Metadata") != "true" || argument(query, "api-version").empty()) {
    return {400, "", R"({"error": "Bad request. api-version and Metadata:true are needed"})"};
  }
  if (path == "/metadata/identity/oauth2/token") {
    const auto audience = argument(query, "resource");
    const auto token = "token-" + std::to_string(next_token_++);
    tokens_[audience + " " + token] = now_ + behaviour_.token_life;
    const auto ends = azure_calendar() + behaviour_.token_life;
    return {200, "",
            json{{"access_token", token},
                 {"expires_in", std::to_string(behaviour_.token_life.count())},
                 {"expires_on", std::to_string(ends.time_since_epoch().count())},
                 {"resource", audience},
                 {"token_type", "Bearer"}}
                .dump()};
  }
  if (path == "/metadata/instance/compute/name") return {200, "", "workers_0"};
  if (path != "/metadata/scheduledevents") return {404, "", ""};
  if (request.line.starts_with("POST ")) {
    const auto body = json::parse(request.body, nullptr, false);
    if (!body.is_object() || !body.contains("StartRequests")) return {400, "", ""};
    for (const auto& each : body["StartRequests"]) {
      const auto event = each.at("EventId").get<std::string>();
      if (!events_.contains(event)) return {400, "", ""};
      approved_.push_back(event);
    }
    return {200, "", ""};
  }
  json document{{"DocumentIncarnation", incarnation_}, {"Events", json::array()}};
  for (const auto& [id, each] : events_) document["Events"].push_back(each);
  return {200, "", document.dump()};
}

azure_server::reply azure_server::arm(const seen_request& request, const std::string& target) {
  const auto path = target.substr(0, target.find('?'));
  const auto query = target.substr(std::min(target.find('?') + 1, target.size()));
  const auto bearer = request.header("Authorization");
  const auto token = tokens_.find("https://management.azure.com/ " +
                                  bearer.substr(std::min<std::size_t>(bearer.find(' ') + 1, bearer.size())));
  if (!bearer.starts_with("Bearer ") || token == tokens_.end() || token->second <= now_) {
    return {401, "", error_body("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier")};
  }
  if (argument(query, "api-version").empty()) {
    return {400, "", error_body("MissingApiVersionParameter", "The api-version query parameter is required")};
  }
  const auto verb = request.line.substr(0, request.line.find(' '));
  if (path.starts_with("/subscriptions/0b1f/providers/Microsoft.Compute/locations/test/operations/")) {
    return follow(path.substr(path.rfind('/') + 1));
  }
  if (!path.starts_with(resource_id)) return {404, "", error_body("ResourceNotFound", "No such resource")};
  const auto below = path.substr(std::string_view{resource_id}.size());
  if (below.empty() && verb == "GET") return model();
  if (below.empty() && verb == "PATCH") return patch(request);
  if (below == "/virtualMachines" && verb == "GET") return list(query);
  if (below == "/delete" && verb == "POST") return remove(request);
  if (below.starts_with("/virtualMachines/") && verb == "PUT") return protect(request, below.substr(17));
  return {404, "", error_body("NotFound", "No such address")};
}

azure_server::reply azure_server::model() const {
  const auto is_updating =
      std::any_of(operations_.begin(), operations_.end(), [this](const auto& each) { return each.second.ends > now_; });
  return {200, "",
          json{{"name", "workers"},
               {"id", resource_id},
               {"location", "test"},
               {"etag", "\"" + std::to_string(etag_) + "\""},
               {"sku", {{"name", "Standard_NC4as_T4_v3"}, {"tier", "Standard"}, {"capacity", capacity_}}},
               {"properties", {{"provisioningState", is_updating ? "Updating" : "Succeeded"}}}}
              .dump()};
}

azure_server::reply azure_server::begin(milliseconds takes, std::string code) {
  const auto id = std::to_string(next_operation_++);
  operations_[id] = {now_ + takes, std::move(code)};
  const auto where = "/subscriptions/0b1f/providers/Microsoft.Compute/locations/test/operations/" + id;
  const auto header = behaviour_.tells_status ? "Azure-AsyncOperation: " : "Location: ";
  return {202, header + address() + where + "?api-version=2024-07-01\r\nRetry-After: 7\r\n", ""};
}

azure_server::reply azure_server::patch(const seen_request& request) {
  const auto body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || request.header("Content-Type") != "application/json") {
    return {400, "", error_body("InvalidRequestContent", "No JSON")};
  }
  const auto match = request.header("If-Match");
  if (!match.empty() && match != "\"" + std::to_string(etag_) + "\"") {
    return {412, "", error_body("ConditionNotMet", "The entity tag does not match")};
  }
  const auto to = body.at("sku").at("capacity").get<int>();
  if (to > behaviour_.quota) {
    return {409, "",
            error_body("OperationNotAllowed", "Operation could not be completed as it results in exceeding approved "
                                              "standardNCFamily Cores quota")};
  }
  ++etag_;
  capacity_ = to;
  largest_capacity_ = std::max(largest_capacity_, to);
  bool lacks = false;
  while (staying() < capacity_) {
    if (staying() >= behaviour_.available) {
      lacks = true;
      break;
    }
    machines_[std::to_string(next_id_++)] = {behaviour_.provisioning_fails, false, now_ + behaviour_.boot, {}};
  }
  for (auto each = machines_.rbegin(); each != machines_.rend() && staying() > capacity_; ++each) {
    if (each->second.gone_at || each->second.is_protected) continue;
    each->second.gone_at = now_ + behaviour_.deletes;
    by_choice_.insert(each->first);
  }
  return begin(behaviour_.boot, lacks ? "AllocationFailed" : "");
}

azure_server::reply azure_server::list(const std::string& query) {
  json page{{"value", json::array()}};
  const auto after = argument(query, "$skiptoken");
  auto each = after.empty() ? machines_.begin() : machines_.upper_bound(after);
  for (; each != machines_.end() && page["value"].size() < behaviour_.page; ++each) {
    const auto& [id, one] = *each;
    const auto booted = one.runs_at <= now_;
    const auto state = one.gone_at ? "Deleting" : !booted ? "Creating" : one.failed ? "Failed" : "Succeeded";
    json statuses = json::array();
    statuses.push_back({{"code", one.failed && booted ? "ProvisioningState/failed/VMAgentProvisioningFailure"
                                                      : "ProvisioningState/succeeded"},
                        {"message", one.failed && booted ? "the agent did not answer" : ""}});
    if (booted && !one.failed) statuses.push_back({{"code", "PowerState/running"}});
    page["value"].push_back({{"name", "workers_" + id},
                             {"instanceId", id},
                             {"location", "test"},
                             {"properties",
                              {{"provisioningState", state},
                               {"osProfile", {{"computerName", "worker00000" + id}}},
                               {"protectionPolicy", {{"protectFromScaleIn", one.is_protected}}},
                               {"instanceView", {{"statuses", statuses}}}}}});
  }
  if (each != machines_.end()) {
    page["nextLink"] = address() + resource_id + "/virtualMachines?api-version=2024-07-01&$expand=instanceView" +
                       "&$skiptoken=" + page["value"].back()["instanceId"].get<std::string>();
  }
  return {200, "", page.dump()};
}

azure_server::reply azure_server::remove(const seen_request& request) {
  const auto body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.contains("instanceIds")) return {400, "", error_body("InvalidRequestContent", "")};
  const auto ids = body["instanceIds"].get<std::vector<std::string>>();
  for (const auto& id : ids) {
    const auto found = machines_.find(id);
    if (found == machines_.end() || found->second.gone_at) {
      return {400, "",
              error_body("InvalidParameter",
                         "The provided instanceId " + id + " is not an active Virtual Machine Scale Set VM instanceId.",
                         "instanceIds")};
    }
  }
  if (ids.empty()) { // the worst that it could mean
    for (const auto& [id, each] : machines_) by_choice_.insert(id);
  }
  for (const auto& id : ids) {
    machines_.at(id).gone_at = now_ + behaviour_.deletes;
    by_name_.insert(id);
    --capacity_;
  }
  ++etag_;
  return begin(behaviour_.deletes);
}

azure_server::reply azure_server::protect(const seen_request& request, const std::string& id) {
  const auto found = machines_.find(id);
  if (found == machines_.end()) return {404, "", error_body("ResourceNotFound", "No such instance")};
  const auto body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || body.value("location", "") != "test") {
    return {400, "", error_body("LocationRequired", "The location property is required")};
  }
  found->second.is_protected = body.at("properties").at("protectionPolicy").at("protectFromScaleIn").get<bool>();
  return begin(5s);
}

azure_server::reply azure_server::follow(const std::string& id) {
  const auto found = operations_.find(id);
  if (found == operations_.end()) return {404, "", error_body("NotFound", "No such operation")};
  const auto done = found->second.ends <= now_;
  const auto& code = found->second.code;
  const json error{{"code", code}, {"message", "Allocation failed. There are not enough machines of that size"}};
  if (!behaviour_.tells_status) {
    if (!done) return {202, "Retry-After: 7\r\n", ""};
    if (code.empty()) return {200, "", ""};
    return {409, "", json{{"error", error}}.dump()};
  }
  json body{{"name", id}, {"status", done ? (code.empty() ? "Succeeded" : "Failed") : "InProgress"}};
  if (done && !code.empty()) body["error"] = error;
  return {200, done ? "" : "Retry-After: 7\r\n", body.dump()};
}

azure_server::reply azure_server::take_metrics(const seen_request& request) {
  const auto bearer = request.header("Authorization");
  if (!bearer.starts_with("Bearer ") || !tokens_.contains("https://monitoring.azure.com/ " + bearer.substr(7))) {
    return {401, "", error_body("InvalidToken", "Not a token for this audience")};
  }
  auto body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) return {400, "", error_body("InvalidRequest", "No JSON")};
  const auto text = body.at("time").get<std::string>();
  std::array<int, 6> parts{};
  const auto read =
      std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%dZ", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &parts[5]);
  const auto time = std::chrono::sys_days{std::chrono::year{parts[0]} / parts[1] / parts[2]} +
                    std::chrono::hours{parts[3]} + std::chrono::minutes{parts[4]} + std::chrono::seconds{parts[5]};
  if (read != 6 || time < azure_calendar() - 20min || time > azure_calendar() + 5min) {
    return {400, "", error_body("BadRequest", "The time is not within the last 20 minutes")};
  }
  metrics_.push_back(std::move(body));
  return {200, "", ""};
}

} // namespace penstock::test
