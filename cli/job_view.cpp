#include "cli/job_view.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

#include "cli/terminal.hpp"

namespace penstock::cli {

namespace {

bool is_plain_name(std::string_view text) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, plain) &&
         text.find_first_not_of('.') != std::string_view::npos;
}

template <class T>
std::optional<T> number_or_null(const nlohmann::json& document, const char* key) {
  const auto at = document.find(key);
  if (at == document.end() || at->is_null()) return std::nullopt;
  return at->get<T>();
}

} // namespace

core::expected<job_view> read_job(const nlohmann::json& document) {
  try {
    job_view out;
    out.id = document.at("id");
    out.state = printable(document.at("state").get<std::string>());
    out.name = printable(document.value("name", ""));
    out.frames_done = document.value("frames_done", std::uint64_t{0});
    out.frames_total = number_or_null<std::uint64_t>(document, "frames_total");
    out.eta_s = number_or_null<double>(document, "eta_s");
    out.attempts = document.value("attempts", std::uint64_t{0});
    out.max_attempts = document.value("max_attempts", std::uint64_t{0});
    out.worker = printable(document.value("worker", ""));
    out.error = printable(document.value("error", ""));
    if (!is_plain_name(out.id)) return core::fail(core::errc::corrupt, "a job with an id that is no name");
    return out;
  } catch (const nlohmann::json::exception& e) {
    return core::fail(core::errc::corrupt, fmt::format("not a job: {}", printable(e.what())));
  }
}

door_expected<job_page> list_jobs(door& at, const std::string& state, std::size_t limit, const std::string& after) {
  http_request request;
  request.target = fmt::format("/v1/jobs?limit={}", limit);
  if (!state.empty()) request.target += "&state=" + percent_encoded(state);
  if (!after.empty()) request.target += "&after=" + percent_encoded(after);
  const auto reply = at.ask(request);
  if (!reply) return tl::unexpected{reply.error()};
  const auto corrupt = [](core::error why) { return tl::unexpected{door_trouble{std::move(why), 0, {}}}; };
  auto document = at.document(*reply);
  if (!document) return corrupt(document.error());
  const auto jobs = document->find("jobs");
  if (jobs == document->end() || !jobs->is_array())
    return corrupt({core::errc::corrupt, at.place() + ": the reply is no list of jobs"});
  job_page page;
  for (auto& j : *jobs) {
    auto job = read_job(j);
    if (!job) return corrupt({job.error().code, at.place() + ": " + job.error().message});
    page.jobs.push_back(std::move(*job));
    page.documents.push_back(std::move(j));
  }
  if (const auto next = document->find("next"); next != document->end() && next->is_string()) page.next = *next;
  return page;
}

std::string progress_of(const job_view& job) {
  if (job.frames_total) return fmt::format("{}/{} frames", job.frames_done, *job.frames_total);
  return job.frames_done > 0 ? fmt::format("{} frames", job.frames_done) : std::string{};
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0)) return {};
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::min(seconds, 1e15));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86'400, whole % 86'400 / 3600);
}

} // namespace penstock::cli
