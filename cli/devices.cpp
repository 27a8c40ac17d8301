#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/ledger_report.hpp"
#include "core/cores.hpp"
#include "inference/engine.hpp"
#include "kernels/device.hpp"
#include "kernels/instruction_set.hpp"

namespace penstock::cli {
namespace {

void print_engine(const inference::engine_info& engine) {
  if (engine.version.empty()) { // no module, or a broken one
    fmt::print("engine {}: absent: {}\n", engine.name, engine.absent);
    return;
  }
  fmt::print("engine {} {} ({})\n", engine.name, engine.version, engine.module.string());
  for (const auto& name : engine.devices) fmt::print("  {:<6} usable\n", name);
  for (const auto& d : engine.unusable) fmt::print("  {:<6} not here: {}\n", d.name, d.reason);
}

void print_text() {
  fmt::print("cpu      {} cores, {} kernels\n", core::usable_cores(), kernels::instruction_set());
  const auto& cuda = kernels::cuda();
  for (const auto& d : cuda.devices) {
    fmt::print("{:<8} {}, {}, {:.1f} GiB, driver {}\n", d.name, d.model, d.capability,
               static_cast<double>(d.memory_bytes) / (1U << 30U), d.driver);
  }
  if (cuda.devices.empty()) fmt::print("cuda     none: {}\n", cuda.absent);
  for (const auto* engine : inference::engines()) print_engine(engine->info());
}

nlohmann::ordered_json as_json() {
  const auto& cuda = kernels::cuda();
  auto gpus = nlohmann::ordered_json::array();
  for (const auto& d : cuda.devices) {
    gpus.push_back({{"name", d.name},
                    {"model", d.model},
                    {"memory_bytes", d.memory_bytes},
                    {"capability", d.capability},
                    {"driver", d.driver}});
  }
  auto engines = nlohmann::ordered_json::array();
  for (const auto* engine : inference::engines()) {
    const auto info = engine->info();
    auto devices = nlohmann::ordered_json::array();
    for (const auto& name : info.devices) devices.push_back({{"name", name}, {"usable", true}, {"reason", ""}});
    for (const auto& d : info.unusable) {
      devices.push_back({{"name", d.name}, {"usable", false}, {"reason", d.reason}});
    }
    engines.push_back({{"name", info.name},
                       {"version", info.version},
                       {"module", info.module.string()},
                       {"absent", info.absent},
                       {"devices", devices}});
  }
  return {{"cpu", {{"cores", core::usable_cores()}, {"kernels", std::string{kernels::instruction_set()}}}},
          {"cuda", {{"built", cuda.built}, {"absent", cuda.absent}, {"devices", gpus}}},
          {"engines", engines}};
}

} // namespace

void add_devices(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("devices", "List the processors of this machine, and what each engine can run on");
  auto json = std::make_shared<std::string>();
  command->add_option("--json", *json, "Write it as JSON; - for standard output")->type_name("FILE");
  command->callback([json, &exit] {
    if (json->empty()) {
      print_text();
    } else if (const auto written = write_json(*json, as_json()); !written) {
      fmt::print(stderr, "{}\n", written.error().message);
      exit = exit_failed;
    }
  });
}

} // namespace penstock::cli
