#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/command.hpp"
#include "cli/door.hpp"
#include "cli/job_view.hpp"
#include "cli/ledger_report.hpp"
#include "cli/signal_watch.hpp"
#include "cli/top_screen.hpp"

namespace penstock::cli {

namespace {

constexpr std::chrono::seconds refresh{1};
constexpr std::chrono::seconds refresh_jobs{3};
constexpr std::chrono::seconds answer_time{10};
constexpr std::size_t counted = 200; // jobs of a state; more are "200+"

struct arguments {
  door_options door;
  bool once = false;
  std::string json;
};

int failed(const core::error& error) {
  fmt::print(stderr, "penstock top: {}\n", error.message);
  return error.code == core::errc::bad_config ? exit_usage : exit_failed;
}

/// The terminal's other screen, without a cursor, as long as this lives; lines one below the other where standard
/// output is no terminal.
class screen {
 public:
  explicit screen(bool whole) : whole_{whole && terminal_size(STDOUT_FILENO)} {
    if (whole_) fmt::print("\x1b[?1049h\x1b[?25l");
  }
  ~screen() {
    if (!whole_) return;
    fmt::print("\x1b[?25h\x1b[?1049l");
    std::fflush(stdout);
  }
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  /// What is shown has to fit into this.
  [[nodiscard]] std::optional<screen_size> size() const {
    auto out = terminal_size(STDOUT_FILENO);
    if (out && !whole_) out->rows = 1'000'000; // it may scroll
    return out;
  }

  /// False: standard output takes no more.
  [[nodiscard]] bool show(const std::vector<table_line>& lines) const {
    const bool colours = terminal_size(STDOUT_FILENO).has_value();
    std::string out = whole_ ? "\x1b[H" : "";
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto& line = lines[i];
      const auto* on = !colours ? "" : line.alert ? "\x1b[31m" : line.title ? "\x1b[1m" : "";
      out += fmt::format("{}{}{}", on, line.text, *on != '\0' ? "\x1b[0m" : "");
      if (whole_) out += "\x1b[K";
      if (!whole_ || i + 1 < lines.size()) out += "\n"; // the last one's would scroll a full screen
    }
    if (whole_) out += "\x1b[J";
    fmt::print("{}", out);
    return std::fflush(stdout) == 0;
  }

 private:
  bool whole_;
};

/// No entry, or no door at all: waiting does not help.
bool is_final(const door_trouble& trouble) {
  return !trouble.passes() &&
         (trouble.status == 0 || (trouble.status >= 400 && trouble.status < 500) || trouble.status == 501);
}

job_counts count_jobs(door& at) {
  job_counts out;
  for (const auto* state : job_states) {
    const auto page = list_jobs(at, state, counted, "");
    if (!page) return {{}, {}, page.error().error.message};
    out.of[state] = page->jobs.size();
    out.more[state] = !page->next.empty();
  }
  return out;
}

door_expected<nlohmann::json> ask_state(door& at) {
  http_request request;
  request.target = "/v1/state";
  request.silence = answer_time;
  const auto reply = at.ask(request);
  if (!reply) return tl::unexpected{reply.error()};
  auto document = at.document(*reply);
  if (!document) return tl::unexpected{door_trouble{document.error(), 0, {}}};
  return std::move(*document);
}

nlohmann::ordered_json document_of(const door& at, const nlohmann::json& state, const job_counts& jobs) {
  nlohmann::ordered_json counts = nlohmann::ordered_json::object();
  auto more = nlohmann::ordered_json::array();
  for (const auto* name : job_states) {
    if (const auto n = jobs.of.find(name); n != jobs.of.end()) counts[name] = n->second;
    if (const auto m = jobs.more.find(name); m != jobs.more.end() && m->second) more.push_back(name);
  }
  nlohmann::ordered_json out{{"door", at.place()}, {"state", state}, {"jobs", counts}, {"jobs_more", more}};
  if (!jobs.refused.empty()) out["jobs_refused"] = jobs.refused;
  return out;
}

int run_once(door& at, const arguments& args) {
  const auto state = ask_state(at);
  if (!state) return failed(state.error().error);
  const auto jobs = count_jobs(at);
  const screen to{false};
  const auto lines = top_screen(*state, jobs, {}, to.size());
  if (!lines) return failed({lines.error().code, at.place() + ": " + lines.error().message});
  if (args.json != "-" && !to.show(*lines)) return failed({core::errc::io, "standard output cannot be written"});
  if (!args.json.empty())
    if (const auto written = write_json(args.json, document_of(at, *state, jobs)); !written)
      return failed(written.error());
  return exit_done;
}

/// Until somebody asks to stop. The screen is the terminal's own again before an error is printed.
core::expected<void> run_on(door& at) {
  using clock = std::chrono::steady_clock;
  std::optional<nlohmann::json> last;
  job_counts jobs;
  std::optional<clock::time_point> counted_at;
  const screen to{true};
  do {
    std::string note;
    if (auto state = ask_state(at)) {
      last = std::move(*state);
      if (!counted_at || clock::now() - *counted_at >= refresh_jobs) {
        jobs = count_jobs(at);
        counted_at = clock::now();
      }
    } else if (at.stop().stop_requested()) {
      break;
    } else if (is_final(state.error())) {
      return tl::unexpected{state.error().error};
    } else {
      note = state.error().error.message + "; goes on trying" + (last ? " (what follows is old)" : "");
    }
    const auto size = to.size();
    std::vector<table_line> lines{{size ? cut(note, size->columns) : note, false, true}};
    if (last) {
      auto drawn = top_screen(*last, jobs, note, size);
      if (!drawn) return core::fail(at.place(), drawn.error());
      lines = std::move(*drawn);
    }
    if (!size) lines.emplace_back(); // between two of them
    if (!to.show(lines)) return core::fail(core::errc::io, "standard output cannot be written");
  } while (rest(refresh, at.stop()));
  return {};
}

int run_top(const arguments& args) {
  const signal_watch watch;
  auto at = door::open(args.door, watch.token());
  if (!at) return failed(at.error());
  if (args.once || !args.json.empty()) return run_once(*at, args);
  const auto ended = run_on(*at);
  return ended ? exit_done : failed(ended.error());
}

} // namespace

void add_top(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("top", "Show streams, workers, stages and jobs of a door, once a second");
  auto args = std::make_shared<arguments>();
  command->add_option("url", args->door.url, "The door's address")->type_name("URL")->capture_default_str();
  add_door_options(*command, args->door);
  command->add_flag("--once", args->once, "Print it once and end");
  command->add_option("--json", args->json, "Write it once, as JSON; - for standard output")->type_name("FILE");
  command->callback([args, &exit] { exit = run_top(*args); });
}

} // namespace penstock::cli
