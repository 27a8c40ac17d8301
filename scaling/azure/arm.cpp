#include "scaling/azure/arm.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace penstock::scaling::azure {
namespace {

constexpr std::array capacity_codes{"AllocationFailed",
                                    "ZonalAllocationFailed",
                                    "OverconstrainedAllocationRequest",
                                    "OverconstrainedZonalAllocationRequest",
                                    "AllocationTimeout",
                                    "SkuNotAvailable",
                                    "SpotCapacityNotAvailable"};

bool is_one_of(const auto& codes, std::string_view code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

refusal why_of(int status, std::string_view code, std::string_view message) {
  if (is_one_of(capacity_codes, code)) return refusal::capacity;
  // The code of a quota is also that of other things that are not allowed.
  if (code == "QuotaExceeded" || (code == "OperationNotAllowed" && message.find("quota") != std::string_view::npos)) {
    return refusal::quota;
  }
  if (code == "InstanceIdsListInstanceIdNotActiveVM" ||
      message.find("is not an active Virtual Machine Scale Set VM") != std::string_view::npos) {
    return refusal::gone;
  }
  if (status == 404) return refusal::gone;
  if (status == 412) return refusal::changed;
  if (status == 429) return refusal::throttled;
  if (status == 401 || status == 403) return refusal::not_let_in;
  if (status == 409 || jobs::azure::is_passing(status)) return refusal::busy;
  return refusal::other;
}

std::string_view words_of(refusal why) {
  switch (why) {
  case refusal::capacity: return "capacity not available";
  case refusal::quota: return "quota reached";
  case refusal::throttled: return "throttled";
  case refusal::changed: return "changed by somebody else meanwhile";
  case refusal::gone: return "does not exist";
  case refusal::busy: return "busy";
  case refusal::not_let_in: return "not let in (does the identity have its roles?)";
  case refusal::other: return "refused";
  }
  return "refused";
}

std::string text_at(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// Text of somebody else's for one line of ours.
std::string one_line(std::string text) {
  constexpr std::size_t most = 400;
  if (text.size() > most) text.resize(most);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return text;
}

std::string_view host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

bool may_pass(const http_response& answer) {
  const auto why = read_refusal(answer).why;
  return answer.status >= 400 && (why == refusal::busy || why == refusal::throttled);
}

} // namespace

core::error refused_request::as_error(std::string_view what) const {
  const auto errc = [this] {
    switch (why) {
    case refusal::not_let_in: return core::errc::bad_config;
    case refusal::gone: return core::errc::not_found;
    case refusal::other: return core::errc::io;
    default: return core::errc::unavailable;
    }
  }();
  auto text = fmt::format("{}: {}", what, words_of(why));
  if (!code.empty()) text += ": " + code;
  if (status != 0) text += fmt::format(" (status {})", status);
  if (!message.empty()) text += ": " + message;
  return {errc, std::move(text)};
}

refused_request read_refusal(int status, const nlohmann::json& error) {
  refused_request out;
  out.status = status;
  out.code = one_line(text_at(error, "code"));
  out.message = one_line(text_at(error, "message"));
  // What a provider wraps is told in its details.
  const auto details = error.is_object() ? error.find("details") : error.end();
  const auto wraps = out.code == "DeploymentFailed" || out.code == "VMScaleSetOperationFailed" || out.code.empty();
  if (error.is_object() && wraps && details != error.end() && details->is_array() && !details->empty()) {
    const auto inner = read_refusal(status, details->front());
    if (!inner.code.empty()) return inner;
  }
  out.why = why_of(status, out.code, out.message);
  return out;
}

refused_request read_refusal(const http_response& answer) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  if (body.is_object() && body.contains("error")) return read_refusal(answer.status, body["error"]);
  return read_refusal(answer.status, body);
}

arm::arm(std::string endpoint, std::shared_ptr<credential> let_in, std::shared_ptr<http_client> http, retry_rules rules,
         clock_function clock)
    : endpoint_{std::move(endpoint)}, let_in_{std::move(let_in)}, http_{std::move(http)}, rules_{std::move(rules)},
      clock_{std::move(clock)} {}

core::expected<std::string> arm::address_of(const std::string& where) const {
  if (where.starts_with('/')) return endpoint_ + where;
  const auto scheme = [](std::string_view url) { return url.substr(0, url.find("://")); };
  const auto own = host_of(endpoint_);
  const auto host = host_of(where);
  if (scheme(where) == scheme(endpoint_) && (host == own || host.ends_with(fmt::format(".{}", own)))) return where;
  return core::fail(core::errc::corrupt, fmt::format("{}: names an address at another host: {}", endpoint_, host));
}

core::expected<http_response> arm::call(std::string method, const std::string& where,
                                        std::vector<std::pair<std::string, std::string>> headers, std::string body) {
  auto address = address_of(where);
  if (!address) return tl::unexpected{address.error()};
  if (const auto left = quiet_until_ - clock_(); left > left.zero()) {
    return core::fail(core::errc::unavailable, fmt::format("{}: throttled: wants no request for {} s more", endpoint_,
                                                           std::chrono::ceil<std::chrono::seconds>(left).count()));
  }
  auto answer = jobs::azure::call_patiently(
      *http_, *let_in_, {std::move(method), std::move(*address), std::move(headers), std::move(body)}, rules_,
      may_pass);
  if (answer && answer->status == 429) quiet_until_ = clock_() + jobs::azure::wanted_pause(*answer);
  return answer;
}

core::expected<nlohmann::json> arm::get(const std::string& where) {
  const auto answer = call("GET", where);
  if (!answer) return tl::unexpected{answer.error()};
  const auto path = where.substr(0, where.find('?'));
  if (answer->status != 200) return tl::unexpected{read_refusal(*answer).as_error(path)};
  auto body = nlohmann::json::parse(answer->body, nullptr, false);
  if (!body.is_object()) return core::fail(core::errc::corrupt, path + ": the answer is no JSON object");
  return body;
}

core::expected<std::vector<nlohmann::json>> arm::list(const std::string& where) {
  constexpr int most_pages = 1'000;
  std::vector<nlohmann::json> out;
  auto next = where;
  for (int page = 0; page < most_pages; ++page) {
    auto body = get(next);
    if (!body) return tl::unexpected{body.error()};
    const auto values = body->find("value");
    if (values == body->end() || !values->is_array()) {
      return core::fail(core::errc::corrupt, where.substr(0, where.find('?')) + ": a page without its entries");
    }
    for (auto& each : *values) out.push_back(std::move(each));
    next = text_at(*body, "nextLink");
    if (next.empty()) return out;
  }
  return core::fail(core::errc::too_large, fmt::format("{}: more than {} pages", where, most_pages));
}

} // namespace penstock::scaling::azure
