#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/door.hpp"
#include "cli/job_view.hpp"
#include "cli/ledger_report.hpp"
#include "cli/signal_watch.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"

namespace penstock::cli {

namespace {

constexpr std::size_t page_size = 1000;

struct arguments {
  door_options door;
  std::string state;
  bool dead = false;
  std::vector<std::string> cancel;
  std::vector<std::string> requeue;
  std::string results;
  std::string json;
};

int failed(const core::error& error) {
  fmt::print(stderr, "penstock jobs: {}\n", error.message);
  return error.code == core::errc::bad_config ? exit_usage : exit_failed;
}

/// Cancels or queues again; all are tried.
int change(door& at, const std::vector<std::string>& ids, const char* method, const char* path, const char* what) {
  auto code = exit_done;
  for (const auto& id : ids) {
    http_request request;
    request.method = method;
    request.target = "/v1/jobs/" + percent_encoded(id) + path;
    if (const auto done = at.ask(request)) {
      fmt::print("{}  {}\n", printable(id), what);
    } else {
      code = failed({done.error().error.code, printable(id) + ": " + done.error().error.message});
    }
  }
  return code;
}

int print_results(door& at, const std::string& id) {
  http_request request;
  request.target = "/v1/jobs/" + percent_encoded(id) + "/results";
  request.silence = std::chrono::seconds{0}; // while it runs, lines come when they are made
  request.take = [](std::string_view piece) {
    return std::fwrite(piece.data(), 1, piece.size(), stdout) == piece.size() && std::fflush(stdout) == 0;
  };
  const auto done = at.ask(request);
  return done ? exit_done : failed({done.error().error.code, printable(id) + ": " + done.error().error.message});
}

void print_table(const std::vector<job_view>& jobs) {
  table rows{{{"ID", false, 0, 0},
              {"STATE", false, 0, 0},
              {"NAME", false, 2, 12},
              {"FRAMES", true, 1, 0},
              {"LEFT", true, 4, 0},
              {"ATTEMPTS", true, 5, 0},
              {"WORKER", false, 6, 8},
              {"ERROR", false, 3, 16}}};
  for (const auto& j : jobs) {
    const auto frames =
        j.frames_total ? fmt::format("{}/{}", j.frames_done, *j.frames_total) : fmt::format("{}", j.frames_done);
    rows.add({j.id, j.state, j.name, frames, j.eta_s && !j.over() ? duration_text(*j.eta_s) : "",
              fmt::format("{}/{}", j.attempts, j.max_attempts), j.worker, j.error});
  }
  const auto size = terminal_size(STDOUT_FILENO);
  for (const auto& line : rows.lines(size ? std::optional{size->columns} : std::nullopt)) fmt::print("{}\n", line.text);
}

int run_jobs(const arguments& args) {
  const signal_watch watch;
  auto at = door::open(args.door, watch.token());
  if (!at) return failed(at.error());
  if (!args.cancel.empty() || !args.requeue.empty()) {
    const auto cancelled = change(*at, args.cancel, "DELETE", "", "cancelled");
    const auto requeued = change(*at, args.requeue, "POST", "/requeue", "queued again");
    return cancelled != exit_done ? cancelled : requeued;
  }
  if (!args.results.empty()) return print_results(*at, args.results);

  std::vector<job_view> jobs;
  auto documents = nlohmann::ordered_json::array();
  for (std::string after;;) {
    auto page = list_jobs(*at, args.dead ? "dead" : args.state, page_size, after);
    if (!page) return failed(page.error().error);
    for (auto& j : page->jobs) jobs.push_back(std::move(j));
    if (!args.json.empty())
      for (auto& d : page->documents) documents.push_back(nlohmann::ordered_json(std::move(d)));
    if (page->next.empty()) break;
    if (page->next == after || page->jobs.empty())
      return failed({core::errc::corrupt, at->place() + ": the list of jobs does not end"});
    after = page->next;
  }
  if (args.json != "-") print_table(jobs);
  if (!args.json.empty())
    if (const auto written = write_json(args.json, {{"jobs", documents}}); !written) return failed(written.error());
  return std::fflush(stdout) == 0 ? exit_done : exit_failed;
}

} // namespace

void add_jobs(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("jobs", "List the jobs of a door; cancel them, queue them again, read results");
  auto args = std::make_shared<arguments>();
  command->add_option("url", args->door.url, "The door's address")->type_name("URL")->capture_default_str();
  add_door_options(*command, args->door);
  auto* state = command->add_option("--state", args->state, "Only jobs of this state")
                    ->check(CLI::IsMember({"queued", "running", "done", "failed", "cancelled", "dead"}))
                    ->type_name("STATE");
  auto* dead = command->add_flag("--dead", args->dead, "Only dead ones: they failed too often")->excludes(state);
  auto* cancel = command->add_option("--cancel", args->cancel, "Cancel this job; may be given several times")
                     ->type_name("ID")
                     ->expected(1)
                     ->take_all()
                     ->excludes(state)
                     ->excludes(dead);
  auto* requeue = command->add_option("--requeue", args->requeue, "Queue a dead job again")
                      ->type_name("ID")
                      ->expected(1)
                      ->take_all()
                      ->excludes(state)
                      ->excludes(dead);
  auto* results = command
                      ->add_option("--results", args->results,
                                   "Write a job's results to standard output, as JSON Lines, while they are made")
                      ->type_name("ID")
                      ->excludes(state)
                      ->excludes(dead)
                      ->excludes(cancel)
                      ->excludes(requeue);
  command->add_option("--json", args->json, "Write the list as JSON; - for standard output")
      ->type_name("FILE")
      ->excludes(results)
      ->excludes(cancel)
      ->excludes(requeue);
  command->callback([args, &exit] { exit = run_jobs(*args); });
}

} // namespace penstock::cli
