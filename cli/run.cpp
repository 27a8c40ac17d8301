#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

#include "actors/node.hpp"
#include "cli/command.hpp"
#include "cli/inspect.hpp"
#include "cli/ledger_report.hpp"
#include "cli/logging.hpp"
#include "cli/progress.hpp"
#include "cli/topology_file.hpp"
#include "metrics/server.hpp"

namespace penstock::cli {

namespace {

struct arguments {
  topology_arguments topology;
  log_options log;
  std::string metrics;
  std::string ledger;
  std::string json;
  bool quiet = false;
};

/// SIGINT and SIGTERM as a file descriptor. To be made before the first thread, which inherits the mask.
class signals {
 public:
  signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ::signal(SIGPIPE, SIG_IGN);
  }
  ~signals() { ::close(fd_); }
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }

  /// Takes one signal; false when there was none.
  [[nodiscard]] bool take() const {
    signalfd_siginfo info{};
    return ::read(fd_, &info, sizeof info) == sizeof info;
  }

 private:
  int fd_ = -1;
};

/// Waits until every stream has finished, showing how far it is; the first signal drains, the second stops at once.
void wait_for_end(actors::node& node, const signals& stop, std::chrono::microseconds grace, progress& shown) {
  constexpr int show_interval_ms = 200;
  int signals_taken = 0;
  while (!node.finished()) {
    pollfd fds[] = {{stop.fd(), POLLIN, 0}, {node.finished_fd(), POLLIN, 0}};
    ::poll(fds, 2, show_interval_ms);
    while (stop.take()) {
      shown.clear();
      if (++signals_taken == 1) {
        spdlog::info("finishing what was read, for at most {:.1f} s; a second signal stops at once",
                     core::seconds{grace}.count());
      }
      node.shut_down(signals_taken == 1 ? grace : std::chrono::microseconds{0});
    }
    shown.show(node.report(), core::clock::now());
  }
  shown.clear();
}

nlohmann::ordered_json figures(const actors::run_report& report, core::seconds elapsed) {
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  for (const auto& stream : report.streams) {
    received += stream.ledger.received;
    delivered += stream.ledger.delivered;
  }
  auto document = ledger_json(report);
  document["seconds"] = elapsed.count();
  document["frames_received"] = received;
  document["frames_delivered"] = delivered;
  document["frames_per_s"] = elapsed.count() > 0 ? static_cast<double>(received) / elapsed.count() : 0.0;
  return document;
}

void print_summary(const actors::run_report& report, core::seconds elapsed) {
  fmt::print("{}", ledger_table(report));
  std::uint64_t received = 0;
  for (const auto& stream : report.streams) received += stream.ledger.received;
  fmt::print("{} frames in {:.2f} s, {:.1f} frames/s\n", received, elapsed.count(),
             static_cast<double>(received) / elapsed.count());
  std::size_t listed = 0;
  constexpr std::size_t most_listed = 20;
  for (const auto& stream : report.streams) {
    for (const auto& output : stream.outputs) {
      if (listed++ < most_listed) fmt::print("results: {}\n", output);
    }
  }
  if (listed > most_listed) fmt::print("… and {} more\n", listed - most_listed);
}

int report_end(const arguments& args, const actors::run_report& report, core::seconds elapsed) {
  int code = report.lost_something() ? exit_failed : exit_done;
  const auto write = [&code](const std::string& file, const nlohmann::ordered_json& document) {
    if (file.empty()) return;
    if (const auto written = write_json(file, document); !written) {
      spdlog::error("{}", written.error().message);
      code = exit_failed;
    }
  };
  // With figures on standard output nothing else goes there.
  if (args.json != "-" && args.ledger != "-") print_summary(report, elapsed);
  write(args.ledger, ledger_json(report));
  write(args.json, figures(report, elapsed));
  std::fflush(stdout);
  return code;
}

/// Frame buffers come and go with every segment. Without this glibc gives them back to the kernel each time and takes
/// new zeroed pages for the next (a third of all system time); what it keeps instead is bounded by what was in use.
void keep_frame_buffers() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

int run(const arguments& args) {
  keep_frame_buffers();
  const signals stop;
  start_logging(args.log);
  const auto topology = load_or_report(args.topology);
  if (!topology) return exit_bad_config;
  const auto& config = topology->config;
  auto node = actors::node::start(config, {PENSTOCK_VERSION, 0});
  if (!node) {
    report({place_error(*topology, node.error())});
    return node.error().code == core::errc::io ? exit_failed : exit_bad_config;
  }
  const auto began = core::clock::now();
  spdlog::info("{}", (*node)->model_line());

  std::unique_ptr<metrics::server> server;
  const auto& address = args.metrics.empty() ? config.metrics.listen : args.metrics;
  if (!address.empty()) {
    auto& running = **node;
    auto listening = metrics::server::listen(address, {[&running] { return running.metrics().expose(); },
                                                       [&running] { return !running.report().failure.has_value(); },
                                                       [&running] { return running.ready(); }});
    if (!listening) {
      fmt::print(stderr, "--metrics: {}\n", listening.error().message);
      return listening.error().code == core::errc::bad_config ? exit_usage : exit_failed;
    }
    server = std::move(*listening);
    spdlog::info("metrics on port {}", server->port());
  }

  progress shown{args.quiet ? progress::style::none : progress::automatic(), began};
  wait_for_end(**node, stop, config.shutdown.grace, shown);
  const auto report = (*node)->report();
  const auto code = report_end(args, report, core::clock::now() - began);
  if (report.sinks_abandoned) std::_Exit(code); // its thread hangs in a write and cannot be joined
  return code;
}

} // namespace

void add_run(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("run", "Run a whole topology in this process until its streams end or a signal");
  auto args = std::make_shared<arguments>();
  add_topology_arguments(*command, args->topology);
  add_log_options(*command, args->log);
  command->add_option("--metrics", args->metrics, "Serve /metrics, /healthz and /readyz here")->type_name("HOST:PORT");
  command->add_option("--ledger", args->ledger, "Write the ledger as JSON; - for standard output")->type_name("FILE");
  command->add_option("--json", args->json, "Write ledger and figures as JSON; - for standard output")
      ->type_name("FILE");
  command->add_flag("--quiet", args->quiet, "Show no progress");
  command->callback([args, &exit] { exit = run(*args); });
}

} // namespace penstock::cli
