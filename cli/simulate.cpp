#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.hpp"
#include "cli/ledger_report.hpp"
#include "cli/simulate_policies.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "cli/topology_file.hpp"
#include "scaling/simulator/plot.hpp"
#include "scaling/simulator/report.hpp"
#include "scaling/simulator/trace.hpp"

namespace penstock::cli {

namespace {

namespace simulator = scaling::simulator;

struct arguments {
  topology_arguments topology; ///< its file may be empty
  std::string trace;
  std::string load;
  double workers = 0;
  double factor = 1;
  bool poisson = false;
  std::string fleet;
  std::string worker;
  std::vector<std::string> policies;
  simulator::scenario what;
  bool no_optimum = false;
  std::string json;
  std::string svg;
};

int failed(const core::error& error) {
  fmt::print(stderr, "penstock simulate: {}\n", error.message);
  switch (error.code) {
  case core::errc::invalid_argument:
  case core::errc::bad_config: return exit_usage;
  default: return exit_failed;
  }
}

/// The bounds and the objective of a topology with exactly one role that may grow.
core::expected<void> take_over(const topology::config& from, simulator::scenario& to) {
  if (from.scaling) to.objective_s = core::seconds{from.scaling->objective}.count();
  const topology::node_config* grows = nullptr;
  for (const auto& node : from.nodes) {
    if (node.scale.max <= node.scale.min) continue;
    if (grows != nullptr)
      return core::fail(core::errc::invalid_argument,
                        fmt::format("{} and {} both grow; simulate one of them", grows->role, node.role));
    grows = &node;
  }
  if (grows == nullptr) return {};
  to.controlling.min = grows->scale.min;
  to.controlling.max = grows->scale.max;
  return {};
}

core::expected<simulator::load> load_of(const arguments& args, const simulator::service_model& service) {
  if (args.trace.empty() == args.load.empty())
    return core::fail(core::errc::invalid_argument, "one of --trace and --load is needed");
  auto read =
      args.trace.empty() ? simulator::parse_load(args.load) : simulator::read_trace(std::filesystem::path{args.trace});
  if (!read) return read;
  if (!args.trace.empty()) read->within = args.poisson ? simulator::spread::poisson : simulator::spread::uniform;
  const auto mean = read->mean();
  if (args.workers > 0 && mean <= 0) return core::fail(core::errc::invalid_argument, "the load is empty");
  return simulator::scaled(*read, args.workers > 0 ? args.workers * service.most_per_s() / mean : args.factor);
}

/// As many workers as keep 80 % busy until an instance that is asked for at once can work, but a minute at least: what
/// comes before that no policy could help.
int workers_for_the_start(const simulator::scenario& what, double first_help_s) {
  const auto items = what.demand.items();
  const auto begin = std::min(items.size(), static_cast<std::size_t>(std::max(60.0, std::ceil(first_help_s))));
  const auto sum = std::accumulate(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(begin), 0.0);
  const auto per_s = begin > 0 ? sum / static_cast<double>(begin) : 0;
  const auto needed = static_cast<int>(std::ceil(per_s / (0.8 * what.service.most_per_s())));
  return std::clamp(needed, what.controlling.min, what.controlling.max);
}

core::expected<simulator::scenario> scenario_of(const arguments& args) {
  auto what = args.what;
  auto service = simulator::parse_service(args.worker);
  if (!service) return tl::unexpected{service.error()};
  what.service = *service;
  auto load = load_of(args, what.service);
  if (!load) return tl::unexpected{load.error()};
  what.demand = std::move(*load);
  simulator::fleet_model usual;
  auto fleet = simulator::parse_fleet(args.fleet, usual);
  if (!fleet) return tl::unexpected{fleet.error()};
  usual.initial = workers_for_the_start(what, fleet->slowest_start_s());
  fleet = simulator::parse_fleet(args.fleet, usual);
  if (!fleet) return tl::unexpected{fleet.error()};
  what.machines = *fleet;
  if (const auto valid = what.validate(); !valid) return tl::unexpected{valid.error()};
  return what;
}

void add_optimum(table& rows, const char* name, const simulator::comparison& all,
                 const std::optional<simulator::optimum>& found) {
  if (!found) return;
  const auto most = std::ranges::max(found->workers);
  rows.add({name, "", "", "", "", fmt::format("{:.2f}", found->bound_s / 3600 * all.price_per_h),
            fmt::format("{:.3f}", found->bound_s / all.best->bound_s), fmt::format("{:.2f}", found->bound_s / 3600), "",
            "", fmt::format("{}", most), "", ""});
}

void print(const simulator::comparison& all) {
  table rows{{{"POLICY"},
              {fmt::format("IN {:g} S", all.objective_s), true},
              {"P50", true, 7},
              {"P95", true, 4},
              {"P99", true, 3},
              {"COST", true, 1},
              {"/ OPTIMUM", true},
              {"VM-HOURS", true, 2},
              {"TURNS/H", true, 2},
              {"WORKERS", true, 4},
              {"MOST", true, 4},
              {"BACKLOG", true, 6},
              {"DROPPED", true, 5}}};
  for (const auto& run : all.runs) {
    const auto ratio = simulator::cost_ratio(all, run);
    const auto seconds = [&](double q) { return fmt::format("{:.3f}", run.times.quantile_s(q)); };
    rows.add({run.policy, fmt::format("{:.2f} %", 100 * run.within_share()), seconds(0.5), seconds(0.95), seconds(0.99),
              fmt::format("{:.2f}", run.cost), ratio > 0 ? fmt::format("{:.3f}", ratio) : "",
              fmt::format("{:.2f}", run.instance_s / 3600), fmt::format("{:.1f}", run.changes_per_h()),
              fmt::format("{:.1f}", run.mean_workers), fmt::format("{}", run.max_workers),
              fmt::format("{:.0f}", run.max_backlog), fmt::format("{}", run.dropped_total())});
  }
  add_optimum(rows, "optimum, 99 % in time: at least", all, all.best);
  add_optimum(rows, "optimum, all in time: at least", all, all.perfect);
  const auto size = terminal_size(STDOUT_FILENO);
  for (const auto& line : rows.lines(size ? std::optional{size->columns} : std::nullopt)) fmt::print("{}\n", line.text);
}

core::expected<void> write_text(const std::string& file, const std::string& text) {
  std::ofstream out{file};
  out << text << std::flush;
  if (!out) return core::fail(core::errc::io, file + ": cannot be written");
  return {};
}

core::expected<simulator::comparison> compare(const arguments& args, const simulator::scenario& what) {
  simulator::comparison all;
  all.objective_s = what.objective_s;
  all.price_per_h = what.machines.price_per_h;
  if (!args.no_optimum) {
    const auto problem = simulator::problem_of(what, 0.01);
    all.slot_s = problem.slot_s;
    auto best = find_optimum(problem);
    auto perfect = find_optimum(simulator::problem_of(what, 0));
    // Where the bound on workers is too low for everything in time there is no such optimum; runs stand by themselves.
    if (best) all.best = std::move(*best);
    if (perfect && all.best) all.perfect = std::move(*perfect);
    if (!all.best) fmt::print(stderr, "penstock simulate: {}\n", best.error().message);
  }
  scaling::policy_options base;
  base.rate.objective = core::seconds{what.objective_s};
  base.rate.boot_time = base.schedule.boot_time = core::seconds{what.machines.slowest_start_s()};
  for (const auto& text : args.policies) {
    auto policies = simulated_policies(text, base, what);
    if (!policies) return tl::unexpected{policies.error()};
    all.runs.push_back(simulator::simulate(what, std::move(*policies)));
    all.runs.back().policy = text;
  }
  return all;
}

int simulate(arguments args) {
  if (!args.topology.file.empty()) {
    const auto loaded = load_or_report(args.topology);
    if (!loaded) return exit_bad_config;
    if (const auto taken = take_over(loaded->config, args.what); !taken) return failed(taken.error());
  }
  if (args.policies.empty()) args.policies = {"rate", "threshold"};
  const auto what = scenario_of(args);
  if (!what) return failed(what.error());
  const auto all = compare(args, *what);
  if (!all) return failed(all.error());
  if (args.json != "-") print(*all);
  if (!args.svg.empty())
    if (const auto written = write_text(args.svg, to_svg(*all)); !written) return failed(written.error());
  if (!args.json.empty())
    if (const auto written = write_json(args.json, to_json(*all)); !written) return failed(written.error());
  return std::fflush(stdout) == 0 ? exit_done : exit_failed;
}

} // namespace

void add_simulate(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("simulate", "Compare scaling policies under a load, in virtual time");
  auto args = std::make_shared<arguments>();
  args->what.controlling.max = 1000;
  args->what.controlling.max_step = 1000;
  command->add_option("FILE", args->topology.file, "Topology file: its role that grows, with its bounds");
  command->add_option("--set", args->topology.overrides, "Override a value of the file: path=value")
      ->type_name("PATH=VALUE");
  auto* trace = command->add_option("--trace", args->trace, "Arrivals: CSV of second,arrivals")->type_name("FILE");
  command
      ->add_option("--load", args->load,
                   "Made-up load: steady, diurnal, burst, flash or cameras, with values: burst,mean=200,peak=3,seed=1")
      ->type_name("KIND[,KEY=VALUE…]")
      ->excludes(trace);
  auto* workers =
      command->add_option("--workers", args->workers, "Scale the load so that it keeps so many workers busy")
          ->check(CLI::PositiveNumber)
          ->type_name("N");
  command->add_option("--factor", args->factor, "Scale the load")->check(CLI::PositiveNumber)->excludes(workers);
  command->add_flag("--poisson", args->poisson, "Draw how many come in each second of a trace, around what it says");
  command
      ->add_option("--fleet", args->fleet,
                   "What machines cost and how they come: boot=240s (or 180s..300s), warm, price=0.9/h, initial, "
                   "available, fails, spot, notice")
      ->type_name("KEY=VALUE,…");
  command
      ->add_option("--worker", args->worker,
                   "How long items take: fixed=10ms, item=40ms, batch=1, instances=1, overhead=5ms, varies")
      ->type_name("KEY=VALUE,…");
  command
      ->add_option("--policy", args->policies,
                   "rate, threshold, schedule, or planned:room=1.1 (knows the load); several in one run: "
                   "rate+schedule:workers=3. May be repeated")
      ->type_name("NAME[:KEY=VALUE,…]")
      ->expected(1)
      ->take_all();
  auto& what = args->what;
  command->add_option("--min", what.controlling.min, "Workers that there always are")->capture_default_str();
  command->add_option("--max", what.controlling.max, "Workers that there may be")->capture_default_str();
  command->add_option("--max-step", what.controlling.max_step, "That one decision may add or take away")
      ->capture_default_str();
  command->add_option("--objective", what.objective_s, "Seconds within which items should be done")
      ->capture_default_str();
  command->add_option("--deadline", what.deadline_s, "Seconds after which a request is given up")
      ->capture_default_str();
  command->add_option("--interval", what.interval_s, "Seconds between two decisions")->capture_default_str();
  command->add_option("--window", what.window_s, "Seconds over which signals are averaged")->capture_default_str();
  command->add_option("--places", what.streams_per_worker, "Cameras of one worker; 0: as keep it 80 % busy")
      ->capture_default_str();
  command->add_option("--seed", what.seed, "Of all that is drawn")->capture_default_str();
  command->add_flag("--no-optimum", args->no_optimum, "Do not look for the cheapest fleet of one who knows the load");
  command->add_option("--json", args->json, "Write everything as JSON (- for standard output)")->type_name("FILE");
  command->add_option("--svg", args->svg, "Draw the runs over time")->type_name("FILE");
  command->callback([args, &exit] { exit = simulate(*args); });
}

} // namespace penstock::cli
