#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "cli/door.hpp"
#include "cli/ledger_report.hpp"
#include "cli/logging.hpp"
#include "cli/signal_watch.hpp"
#include "cli/submission.hpp"

namespace penstock::cli {

namespace {

struct arguments {
  door_options door;
  submission_config what;
  bool wait = false;
  double patience_s = 300;
  std::string results;
  std::string json;
  bool quiet = false;
  log_options log;
};

nlohmann::ordered_json document_of(const door& at, const submission& all) {
  auto files = nlohmann::ordered_json::array();
  for (const auto& f : all.files()) {
    nlohmann::ordered_json entry{{"file", f.file}};
    if (f.job) {
      entry["id"] = f.job->id;
      entry["state"] = f.job->state;
      entry["repeated"] = f.repeated;
      entry["frames_done"] = f.job->frames_done;
    }
    if (!f.results.empty()) entry["results"] = f.results;
    const auto& error = f.error.empty() && f.job ? f.job->error : f.error;
    if (!error.empty()) entry["error"] = error;
    files.push_back(std::move(entry));
  }
  return {{"door", at.place()}, {"jobs", files}};
}

int failed(const core::error& error) {
  fmt::print(stderr, "penstock submit: {}\n", error.message);
  return error.code == core::errc::bad_config ? exit_usage : exit_failed;
}

int run_submit(const arguments& args) {
  const signal_watch watch;
  start_logging(args.log);
  auto at = door::open(args.door, watch.token());
  if (!at) return failed(at.error());
  auto config = args.what;
  config.results = args.results;
  config.patience = std::chrono::milliseconds{static_cast<std::int64_t>(args.patience_s * 1000)};
  config.progress = !args.quiet;
  config.quiet = args.json == "-";
  submission all{*at, std::move(config)};
  const bool waits = args.wait || !args.results.empty();
  auto done = all.send();
  if (done && waits) done = all.wait();
  auto code = exit_done;
  if (!done) {
    fmt::print(stderr, "penstock submit: {}\n", done.error().message);
    if (done.error().code == core::errc::cancelled)
      fmt::print(stderr, "Jobs that were made go on. The same command finds them again, and sends the other files.\n");
    code = exit_failed;
  }
  for (const auto& f : all.files())
    if (!f.job || !f.error.empty() || (waits && f.job->state != "done")) code = exit_failed;
  if (!args.json.empty())
    if (const auto written = write_json(args.json, document_of(*at, all)); !written) return failed(written.error());
  return code;
}

} // namespace

void add_submit(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("submit", "Send videos and pictures to a door, where they become durable jobs");
  auto args = std::make_shared<arguments>();
  command->add_option("files", args->what.files, "The files")->required()->type_name("FILE")->check(CLI::ExistingFile);
  command->add_option("--to", args->door.url, "The door's address")->type_name("URL")->capture_default_str();
  add_door_options(*command, args->door);
  command->add_flag("--wait", args->wait, "Wait until all jobs are over; 1 is returned if one of them is not done");
  command
      ->add_option("--results", args->results, "Wait, and write the results of each file into this folder (FILE.jsonl)")
      ->type_name("FOLDER");
  command->add_flag("--again", args->what.again, "Make new jobs, also for files that were sent before");
  command->add_option("--patience", args->patience_s, "How long the door may be away or busy")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86'400.0))
      ->capture_default_str();
  command->add_option("--json", args->json, "Write files and jobs as JSON; - for standard output")->type_name("FILE");
  command->add_flag("--quiet", args->quiet, "Show no progress");
  add_log_options(*command, args->log);
  command->callback([args, &exit] { exit = run_submit(*args); });
}

} // namespace penstock::cli
