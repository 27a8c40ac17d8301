#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "cli/command.hpp"
#include "cli/fleet.hpp"
#include "cli/ledger_report.hpp"
#include "cli/logging.hpp"
#include "cli/push_session.hpp"
#include "cli/signal_watch.hpp"
#include "media/source.hpp"

namespace penstock::cli {

namespace {

namespace wire = transport::push;

struct arguments {
  std::string source;
  std::string to;
  std::string stream;
  std::string policy;
  std::string keys;
  std::string name = "producer";
  double patience_s = 30;
  std::string json;
  bool quiet = false;
  log_options log;
};

/// A name for the stream, made of the source's.
std::string stream_name(const std::string& source) {
  auto name = std::filesystem::path{source}.stem().string();
  for (auto& c : name)
    if (!wire::is_stream_name(std::string{'x', c})) c = '_';
  return wire::is_stream_name(name) ? name : "pushed";
}

/// A file that is pushed as if it were live waits for its own times.
void pace(core::time_point began, const core::packet& packet, const std::stop_token& stop) {
  while (!stop.stop_requested() && core::clock::now() < began + packet.dts)
    std::this_thread::sleep_until(
        std::min<core::time_point>(began + packet.dts, core::clock::now() + std::chrono::milliseconds{100}));
}

int failed(const core::error& error) {
  fmt::print(stderr, "penstock push: {}\n", error.message);
  return error.code == core::errc::bad_config ? exit_usage : exit_failed;
}

int report_end(const arguments& args, const push_session& session, const wire::done& account, core::seconds took) {
  nlohmann::ordered_json document{
      {"stream", account.stream},     {"packets_sent", session.sent()}, {"packets_skipped", session.skipped()},
      {"received", account.received}, {"delivered", account.delivered}, {"dropped", account.dropped},
      {"seconds", took.count()}};
  if (args.json != "-") {
    fmt::print("{}: {} packets sent, {} skipped in {:.2f} s; the head received {} frames and delivered {}\n",
               account.stream, session.sent(), session.skipped(), took.count(), account.received, account.delivered);
    for (const auto& [reason, frames] : account.dropped) fmt::print("dropped: {} {}\n", frames, reason);
  }
  if (!args.json.empty())
    if (const auto written = write_json(args.json, document); !written) return failed(written.error());
  std::uint64_t sampled = 0;
  if (const auto at = account.dropped.find("sampled"); at != account.dropped.end()) sampled = at->second;
  return session.lossless() && account.delivered + sampled < account.received ? exit_failed : exit_done;
}

int run_push(const arguments& args) {
  const signal_watch watch;
  start_logging(args.log);
  media::source_options with;
  with.uri = args.source;
  with.stop = watch.token();
  auto source = media::open_source(with);
  if (!source) return failed(source.error());
  const auto& traits = (*source)->traits();

  push_session_config config;
  config.address = args.to;
  config.stream = args.stream.empty() ? stream_name(args.source) : args.stream;
  const bool live = args.policy.empty() ? traits.live || !traits.finite : args.policy == "live";
  config.policy = live ? wire::policy::live : wire::policy::lossless;
  auto keys = keys_in(args.keys, args.name, "producer");
  if (!keys) return failed(keys.error());
  config.keys = *keys;
  config.patience = std::chrono::milliseconds{static_cast<std::int64_t>(args.patience_s * 1000)};
  push_session session{config, watch.token()};

  auto next = (*source)->read();
  if (!next) return failed(next.error());
  const auto began = core::clock::now();
  const auto origin = began - (*next)->dts;
  if (auto ready = session.begin((*source)->codec()); !ready) return failed(ready.error());
  auto said = began;
  std::optional<core::error> trouble;
  while (!session.over()) {
    if (next) {
      if (!session.lossless() && !traits.live) pace(origin, **next, watch.token());
      if (watch.token().stop_requested()) break;
      if (auto ready = session.push((*source)->codec(), *next); !ready) {
        if (ready.error().code != core::errc::cancelled) return failed(ready.error());
        break;
      }
    } else {
      const auto code = next.error().code;
      if (code == core::errc::end_of_stream || code == core::errc::cancelled) break;
      spdlog::warn("{}", next.error().message);
      trouble = next.error();
      if (code == core::errc::unavailable) break;
    }
    if (!args.quiet && core::clock::now() - said > std::chrono::seconds{5}) {
      said = core::clock::now();
      spdlog::info("{}: {} packets sent, {} skipped", config.stream, session.sent(), session.skipped());
    }
    next = (*source)->read();
  }
  const auto account = session.end();
  if (!account) return failed(account.error());
  const auto code = report_end(args, session, *account, core::clock::now() - began);
  return trouble && session.lossless() ? exit_failed : code;
}

} // namespace

void add_push(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("push", "Push a file, a device or a camera to a head on another machine");
  auto args = std::make_shared<arguments>();
  command->add_option("source", args->source, "File, device or URL")->required()->type_name("SOURCE");
  command->add_option("--to", args->to, "Where the head takes streams (ingest)")->required()->type_name("ADDRESS");
  command->add_option("--stream", args->stream, "Name of the stream; made from the source's unless given")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        return wire::is_stream_name(name) ? std::string{} : "letters, digits, '.', '_' and '-', not first a '.'";
      });
  command->add_option("--policy", args->policy, "What to ask for; the head's topology decides")
      ->check(CLI::IsMember({"live", "lossless"}));
  command->add_option("--keys", args->keys, "Folder of keys")->type_name("FOLDER");
  command->add_option("--name", args->name, "Whose keys of the folder")->type_name("NAME");
  command->add_option("--patience", args->patience_s, "How long the head may be away")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86'400.0));
  command->add_option("--json", args->json, "Write the head's account as JSON; - for standard output")
      ->type_name("FILE");
  command->add_flag("--quiet", args->quiet, "Show no progress");
  add_log_options(*command, args->log);
  command->callback([args, &exit] { exit = run_push(*args); });
}

} // namespace penstock::cli
