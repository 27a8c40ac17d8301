#include "cli/submission.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <random>
#include <utility>

#include "cli/job_input.hpp"
#include "cli/signal_watch.hpp"
#include "core/time.hpp"

namespace penstock::cli {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t bar_columns = 20;
constexpr std::size_t most_bars = 12;
constexpr milliseconds between_shows{100};

std::string megabytes(std::uint64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6); }

double share_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string short_name(const std::string& file) {
  constexpr std::size_t columns = 24;
  return cut(printable(std::filesystem::path{file}.filename().string()), columns);
}

/// In a narrow terminal the end is lost: what matters most comes first.
std::string progress_line(const std::string& file, double share, const std::string& more) {
  return fmt::format("{} {:3.0f} %  {}  {}", short_name(file), 100 * share, bar(share, bar_columns), more);
}

struct close_file {
  void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
};

core::error cannot_write(const std::filesystem::path& path) {
  return {core::errc::io, fmt::format("{}: {}", path.string(), std::strerror(errno))};
}

/// Something that stays as it is whatever file comes next.
bool concerns_all(const door_trouble& trouble) {
  return trouble.passes() || trouble.status == 401 || trouble.status == 403 || trouble.status == 501 ||
         trouble.error.code == core::errc::bad_config || trouble.error.code == core::errc::cancelled;
}

} // namespace

submission::submission(door& at, submission_config config) : door_{at}, config_{std::move(config)} {
  for (const auto& file : config_.files) files_.push_back({file, {}, false, {}, {}});
}

void submission::say(const std::string& line) {
  if (config_.quiet) return;
  status_.clear();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void submission::show(const std::vector<std::string>& lines, bool now) {
  const auto at = std::chrono::steady_clock::now();
  if (!config_.progress || (!now && at - shown_ < between_shows)) return;
  shown_ = at;
  status_.show(lines);
}

door::pause_told submission::told(const std::string& about) {
  return [this, about](const door_trouble& why, milliseconds pause) {
    status_.clear();
    spdlog::warn("{}: {}; again in {}", about, why.error.message,
                 duration_text(static_cast<double>(pause.count()) / 1e3));
  };
}

/// Notes trouble with one file, or gives up.
core::expected<void> submission::settle(submitted_file& file, const door_trouble& trouble) {
  file.error = trouble.error.message;
  status_.clear();
  if (concerns_all(trouble)) return tl::unexpected{trouble.error};
  spdlog::error("{}: {}", printable(file.file), trouble.error.message);
  return {};
}

core::expected<void> submission::send() {
  for (auto& file : files_)
    if (auto ok = send(file); !ok) return ok;
  status_.clear();
  return {};
}

core::expected<void> submission::send(submitted_file& file) {
  const auto of_file = [&](const core::error& e) { return settle(file, {e, 0, {}}); };
  const auto shown_name = printable(file.file);
  const auto input = job_input::open(file.file);
  if (!input) return of_file(input.error());
  std::string salt;
  if (config_.again) salt = fmt::format("{:08x}{:08x}", std::random_device{}(), std::random_device{}());
  const auto size = input->size_bytes();
  const auto key = input->key(salt, door_.stop(), [&](std::uint64_t bytes) {
    show({progress_line(file.file, share_of(bytes, size), "reading")});
  });
  if (!key) return of_file(key.error());

  http_request request;
  request.method = "POST";
  request.target = "/v1/jobs";
  request.headers = {{"Content-Type", input->type()},
                     {"Penstock-Name", percent_encoded(input->name())},
                     {"Idempotency-Key", "submit-" + *key}};
  request.body_fd = input->fd();
  request.body_bytes = size;
  auto began = std::chrono::steady_clock::now();
  std::uint64_t before = 0;
  request.sent = [&](std::uint64_t bytes) {
    if (bytes < before) began = std::chrono::steady_clock::now(); // it is sent once more
    before = bytes;
    const core::seconds took{std::chrono::steady_clock::now() - began};
    show({progress_line(file.file, share_of(bytes, size),
                        fmt::format("{} of {} MB, {:.1f} MB/s", megabytes(bytes), megabytes(size),
                                    static_cast<double>(bytes) / 1e6 / std::max(took.count(), 1e-3)))});
  };
  const auto reply = door_.insist(request, config_.patience, told(shown_name));
  if (!reply) return settle(file, reply.error());
  const auto document = door_.document(*reply);
  if (!document) return of_file(document.error());
  auto job = read_job(*document);
  if (!job) return of_file(job.error());
  file.repeated = reply->status == 200;
  file.job = std::move(*job);
  if (!file.repeated && input->changed()) {
    // It may hold a part of the old content and a part of the new.
    http_request cancel;
    cancel.method = "DELETE";
    cancel.target = "/v1/jobs/" + file.job->id;
    const auto gone = door_.insist(cancel, config_.patience, told(shown_name));
    return of_file({core::errc::io, fmt::format("changed while it was sent; its job {} is {}", file.job->id,
                                                gone ? "cancelled" : "not cancelled: " + gone.error().error.message)});
  }
  say(fmt::format("{}  {}{}", file.job->id, shown_name,
                  file.repeated ? fmt::format("  (was there before: {})", file.job->state) : ""));
  return {};
}

core::expected<void> submission::look(submitted_file& file) {
  http_request request;
  request.target = "/v1/jobs/" + file.job->id;
  const auto reply = door_.insist(request, config_.patience, told(printable(file.file)));
  if (!reply) return settle(file, reply.error());
  const auto document = door_.document(*reply);
  auto job = document ? read_job(*document) : core::expected<job_view>{tl::unexpected{document.error()}};
  if (job && job->id != file.job->id)
    job = core::fail(core::errc::corrupt, door_.place() + ": the reply is another job");
  if (!job) return settle(file, {job.error(), 0, {}});
  file.job = std::move(*job);
  return {};
}

core::expected<void> submission::wait() {
  constexpr milliseconds longest{2000};
  milliseconds pause{100};
  std::vector<submitted_file*> open;
  for (auto& file : files_)
    if (file.job && file.error.empty()) open.push_back(&file);
  while (!open.empty()) {
    for (auto* file : open) {
      if (!file->job->over())
        if (auto ok = look(*file); !ok) return ok;
      if (!file->error.empty() || !file->job->over()) continue;
      if (file->job->state == "done" && !config_.results.empty())
        if (auto ok = fetch(*file); !ok) return ok;
      say(fmt::format("{}  {}{}{}", file->job->id, file->job->state,
                      file->job->error.empty() || file->job->state == "done" ? "" : ": " + file->job->error,
                      file->results.empty() ? "" : "  " + printable(file->results)));
    }
    std::erase_if(open, [](const auto* file) { return !file->error.empty() || file->job->over(); });
    if (open.empty()) break;
    show_waiting();
    if (!rest(pause, door_.stop())) {
      status_.clear();
      return core::fail(core::errc::cancelled, "asked to stop");
    }
    pause = std::min(pause * 3 / 2, longest);
  }
  status_.clear();
  return {};
}

void submission::show_waiting() {
  std::vector<std::string> lines;
  std::size_t queued = 0;
  std::size_t more = 0;
  for (const auto& file : files_) {
    if (!file.job || file.job->over()) continue;
    if (file.job->state == "queued") ++queued;
    if (file.job->state != "running") continue;
    if (lines.size() == most_bars) {
      ++more;
      continue;
    }
    const auto& job = *file.job;
    const auto left = job.eta_s ? ", " + duration_text(*job.eta_s) + " left" : std::string{};
    const auto share = share_of(job.frames_done, job.frames_total.value_or(0));
    const auto rest_of_line = progress_of(job) + left;
    lines.push_back(job.frames_total ? progress_line(file.file, share, rest_of_line)
                                     : fmt::format("{}  {}", short_name(file.file), rest_of_line));
  }
  if (more > 0) lines.push_back(fmt::format("… and {} more running", more));
  if (queued > 0) lines.push_back(fmt::format("{} queued", queued));
  show(lines, true);
}

core::expected<void> submission::fetch(submitted_file& file) {
  const auto of_file = [&](const core::error& e) { return settle(file, {e, 0, {}}); };
  const auto name = std::filesystem::path{file.file}.filename().string();
  const auto shares_name = [&](const submitted_file& other) {
    return &other != &file && other.job && other.job->id != file.job->id &&
           std::filesystem::path{other.file}.filename().string() == name;
  };
  const auto to =
      config_.results / (name + (std::ranges::any_of(files_, shares_name) ? "." + file.job->id : "") + ".jsonl");
  const std::filesystem::path part{to.string() + ".part"};
  std::error_code ec;
  std::filesystem::create_directories(config_.results, ec);
  std::unique_ptr<std::FILE, close_file> out{ec ? nullptr : std::fopen(part.c_str(), "wb")};
  if (!out) return of_file(cannot_write(part));
  std::optional<core::error> unwritten;
  http_request request;
  request.target = "/v1/jobs/" + file.job->id + "/results";
  request.take = [&](std::string_view piece) {
    if (!out || std::fwrite(piece.data(), 1, piece.size(), out.get()) != piece.size()) unwritten = cannot_write(part);
    return !unwritten;
  };
  const auto warn = told(printable(file.file));
  const auto reply = door_.insist(request, config_.patience, [&](const door_trouble& why, milliseconds pause) {
    warn(why, pause);
    out.reset(); // before it is opened again, for it writes what it still has
    out.reset(std::fopen(part.c_str(), "wb"));
  });
  if (reply && !unwritten && std::fflush(out.get()) != 0) unwritten = cannot_write(part);
  if (!reply || unwritten) {
    std::filesystem::remove(part, ec);
    return unwritten ? of_file(*unwritten) : settle(file, reply.error());
  }
  std::filesystem::rename(part, to, ec);
  if (ec) return of_file({core::errc::io, to.string() + ": " + ec.message()});
  file.results = to.string();
  return {};
}

} // namespace penstock::cli
