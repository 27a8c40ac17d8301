#include "scaling/source/heads.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "jobs/azure/http.hpp"

namespace penstock::scaling {
namespace {

using jobs::azure::http_request;
using jobs::azure::http_response;

/// As the door names states.
std::optional<worker_stage> stage_of(std::string_view state) {
  constexpr std::array<std::pair<std::string_view, worker_stage>, 4> names{{{"warming", worker_stage::warming},
                                                                            {"working", worker_stage::ready},
                                                                            {"draining", worker_stage::draining},
                                                                            {"silent", worker_stage::lost}}};
  const auto at = std::ranges::find(names, state, &std::pair<std::string_view, worker_stage>::first);
  return at == names.end() ? std::nullopt : std::optional{at->second};
}

/// A worker that works for one head works, whatever another one remembers of it.
int rank(worker_stage stage) {
  switch (stage) {
  case worker_stage::draining: return 5;
  case worker_stage::ready: return 4;
  case worker_stage::warming: return 3;
  case worker_stage::joining: return 2;
  case worker_stage::lost: return 1;
  case worker_stage::gone: return 0;
  }
  return 0;
}

class doors final : public workforce {
 public:
  explicit doors(heads_options options)
      : options_{std::move(options)}, http_{{options_.limit, options_.limit, std::size_t{64} << 20U}} {}

  core::expected<std::vector<worker_view>> observe() override {
    std::map<std::string, worker_view> all;
    for (const auto& url : options_.urls) {
      const auto answer = ask("GET", url, "/v1/state");
      if (!answer) return tl::unexpected{answer.error()};
      if (answer->status != 200) return refused(url, "/v1/state", *answer);
      const auto workers = workers_in(answer->body, options_.role);
      if (!workers) return core::fail(url, workers.error());
      for (const auto& each : *workers) {
        const auto [at, is_new] = all.emplace(each.name, each);
        if (is_new) continue;
        if (rank(each.stage) > rank(at->second.stage)) at->second.stage = each.stage;
        at->second.leases += each.leases;
      }
    }
    std::vector<worker_view> out;
    for (auto& [name, each] : all) out.push_back(std::move(each));
    return out;
  }

  core::expected<void> drain(const std::string& worker) override {
    const auto path = "/v1/workers/" + jobs::azure::percent_encoded(worker) + "/drain";
    for (const auto& url : options_.urls) {
      const auto answer = ask("POST", url, path);
      if (!answer) return tl::unexpected{answer.error()};
      if (answer->status != 202 && answer->status != 404) return refused(url, path, *answer);
    }
    return {};
  }

 private:
  core::expected<http_response> ask(std::string method, const std::string& url, const std::string& path) {
    http_request request;
    request.method = std::move(method);
    request.url = url + path;
    if (!options_.token.empty()) request.headers.emplace_back("Authorization", "Bearer " + options_.token);
    auto answer = http_.once(request);
    if (!answer) return core::fail("head", answer.error());
    return answer;
  }

  [[nodiscard]] static tl::unexpected<core::error> refused(const std::string& url, const std::string& path,
                                                           const http_response& answer) {
    const bool is_stranger = answer.status == 401 || answer.status == 403;
    return core::fail(is_stranger ? core::errc::bad_config : core::errc::unavailable,
                      fmt::format("{}{}: status {}{}", url, path, answer.status,
                                  is_stranger ? ": the token is missing, or is not of scope admin" : ""));
  }

  heads_options options_;
  jobs::azure::http_client http_;
};

} // namespace

core::expected<void> heads_options::validate() const {
  const auto wrong = [](const char* key, std::string_view why) {
    return core::fail(core::errc::bad_config, fmt::format("{}: {}", key, why));
  };
  if (urls.empty()) return wrong("heads", "there is none");
  for (const auto& url : urls) {
    if (!url.starts_with("http://") && !url.starts_with("https://")) return wrong("heads", "must be http addresses");
    if (url.ends_with('/')) return wrong("heads", "must not end with a slash");
  }
  if (role.empty()) return wrong("role", "must name a role");
  if (limit.count() < 1) return wrong("limit", "must be above 0");
  if (token.find_first_of("\r\n") != std::string::npos) return wrong("token", "must be one line");
  return {};
}

core::expected<std::vector<worker_view>> workers_in(std::string_view state, std::string_view role) {
  const auto wrong = [](std::string_view what) {
    return core::fail(core::errc::corrupt, fmt::format("/v1/state: {}", what));
  };
  const auto document = nlohmann::json::parse(state, nullptr, false);
  if (!document.is_object() || !document.contains("workers") || !document["workers"].is_array()) {
    return wrong("is no state with workers");
  }
  std::vector<worker_view> out;
  for (const auto& each : document["workers"]) {
    if (!each.is_object() || !each.contains("name") || !each["name"].is_string()) return wrong("a worker has no name");
    if (!each.contains("role") || !each["role"].is_string()) return wrong("a worker has no role");
    if (each["role"] != role) continue;
    if (!each.contains("state") || !each["state"].is_string()) return wrong("a worker has no state");
    if (!each.contains("leases") || !each["leases"].is_number_unsigned()) return wrong("a worker has no leases");
    const auto stage = stage_of(each["state"].get<std::string>());
    if (!stage) return wrong(fmt::format("\"{}\" is no state of a worker", each["state"].get<std::string>()));
    constexpr std::uint64_t most = 1'000'000'000;
    out.push_back({each["name"], *stage, static_cast<int>(std::min(each["leases"].get<std::uint64_t>(), most))});
  }
  return out;
}

core::expected<workforce_ptr> open_heads(const heads_options& options) {
  if (auto valid = options.validate(); !valid) return tl::unexpected{valid.error()};
  return std::make_unique<doors>(options);
}

} // namespace penstock::scaling
