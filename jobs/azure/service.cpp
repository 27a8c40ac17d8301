#include "jobs/azure/service.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "jobs/azure/xml.hpp"

namespace penstock::jobs::azure {
namespace {

/// The version of the services' interface that requests are written for.
constexpr const char* api_version = "2021-12-02";

std::string code_of(const http_response& answer) {
  const auto code = answer.header("x-ms-error-code");
  return code.empty() ? text_of(answer.body, "Code").value_or("") : code;
}

} // namespace

tl::unexpected<core::error> refused(std::string_view what, const http_response& answer) {
  const auto code = [&] {
    switch (answer.status) {
    case 401:
    case 403: return core::errc::bad_config;
    case 404: return core::errc::not_found;
    case 413: return core::errc::too_large;
    default: return is_passing(answer.status) ? core::errc::unavailable : core::errc::io;
    }
  }();
  return core::fail(code, fmt::format("{}: status {} {}", what, answer.status, code_of(answer)));
}

service::service(std::string endpoint, std::shared_ptr<credential> let_in, std::shared_ptr<http_client> http,
                 retry_rules rules)
    : endpoint_{std::move(endpoint)}, let_in_{std::move(let_in)}, http_{std::move(http)}, rules_{std::move(rules)} {}

core::expected<http_response> service::call(std::string method, const std::string& path,
                                            std::vector<std::pair<std::string, std::string>> headers,
                                            std::string body) {
  http_request plain{std::move(method), endpoint_ + path, std::move(headers), std::move(body)};
  plain.headers.emplace_back("x-ms-version", api_version);
  auto answer = call_patiently(*http_, *let_in_, plain, rules_,
                               [](const http_response& each) { return is_passing(each.status); });
  if (!answer) return answer;
  if (answer->status == 401 || answer->status == 403 || is_passing(answer->status)) return refused(endpoint_, *answer);
  return answer;
}

core::expected<void> service::make(const std::string& path) {
  // A container that is being removed comes back as "busy" for half a minute.
  const auto answer = call("PUT", path);
  if (!answer) return tl::unexpected{answer.error()};
  if (answer->status == 201 || answer->status == 204) return {};
  const auto code = code_of(*answer);
  if (answer->status == 409 && code.ends_with("AlreadyExists")) return {};
  if (answer->status == 409 && code.ends_with("BeingDeleted")) {
    return core::fail(core::errc::unavailable, endpoint_ + path + ": is being removed");
  }
  return refused(endpoint_ + path, *answer);
}

std::string list_marks::find(std::string_view prefix, std::string_view after) {
  if (after.empty()) return {};
  const std::lock_guard lock{mutex_};
  const auto found = marks_.find(fmt::format("{}\n{}", prefix, after));
  return found == marks_.end() ? std::string{} : found->second;
}

void list_marks::keep(std::string_view prefix, std::string_view last, std::string mark) {
  constexpr std::size_t most = 256;
  const std::lock_guard lock{mutex_};
  if (marks_.size() >= most) marks_.clear();
  marks_[fmt::format("{}\n{}", prefix, last)] = std::move(mark);
}

core::expected<listed_page> list_container(service& on, list_marks& marks, const std::string& container,
                                           std::string_view prefix, std::string_view after, std::size_t limit) {
  constexpr std::size_t most = 5'000;
  auto mark = marks.find(prefix, after);
  listed_page out;
  while (true) {
    auto path = fmt::format("/{}?restype=container&comp=list&maxresults={}", container,
                            std::clamp<std::size_t>(limit, 1, most));
    if (!prefix.empty()) path += "&prefix=" + percent_encoded(prefix);
    if (!mark.empty()) path += "&marker=" + percent_encoded(mark);
    const auto answer = on.call("GET", path);
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 200) return refused(container, *answer);
    mark = text_of(answer->body, "NextMarker").value_or("");
    std::string last;
    for (const auto element : elements(answer->body, "Blob")) {
      listed_blob found;
      auto name = text_of(element, "Name");
      if (!name) return core::fail(core::errc::corrupt, container + ": a list with a blob of no name");
      found.name = std::move(*name);
      last = found.name;
      if (found.name <= after) continue;
      const auto size = text_of(element, "Content-Length").value_or("0");
      std::from_chars(size.data(), size.data() + size.size(), found.bytes);
      found.modified_ms = parse_http_date(text_of(element, "Last-Modified").value_or(""));
      if (out.blobs.size() == limit) {
        out.last = false;
        return out;
      }
      out.blobs.push_back(std::move(found));
    }
    if (mark.empty()) return out;
    if (out.blobs.size() == limit && !last.empty() && last == out.blobs.back().name) {
      marks.keep(prefix, last, mark);
      out.last = false;
      return out;
    }
  }
}

} // namespace penstock::jobs::azure
