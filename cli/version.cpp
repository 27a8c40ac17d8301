#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "cli/ledger_report.hpp"
#include "core/cores.hpp"
#include "inference/engine.hpp"
#include "kernels/device.hpp"
#include "kernels/instruction_set.hpp"

namespace penstock::cli {

namespace {

void print_text() {
  fmt::print("penstock {}\n", PENSTOCK_VERSION);
  fmt::print("cpu: {} cores, {} kernels\n", core::usable_cores(), kernels::instruction_set());
  const auto& cuda = kernels::cuda();
  for (const auto& d : cuda.devices) fmt::print("{}: {}, {}\n", d.name, d.model, d.capability);
  if (cuda.devices.empty()) fmt::print("cuda: none: {}\n", cuda.absent);
  for (const auto* engine : inference::engines()) {
    const auto info = engine->info();
    if (info.absent.empty())
      fmt::print("engine {} {}: {}\n", info.name, info.version, fmt::join(info.devices, ", "));
    else
      fmt::print("engine {}: absent: {}\n", info.name, info.absent);
  }
}

nlohmann::ordered_json as_json() {
  nlohmann::ordered_json engines = nlohmann::ordered_json::array();
  for (const auto* engine : inference::engines()) {
    const auto info = engine->info();
    engines.push_back(
        {{"name", info.name}, {"version", info.version}, {"devices", info.devices}, {"absent", info.absent}});
  }
  auto gpus = nlohmann::ordered_json::array();
  for (const auto& d : kernels::cuda().devices) gpus.push_back({{"name", d.name}, {"model", d.model}});
  return {{"version", PENSTOCK_VERSION},
          {"cores", core::usable_cores()},
          {"kernels", std::string{kernels::instruction_set()}},
          {"cuda", gpus},
          {"engines", engines}};
}

} // namespace

void add_version(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("version", "Print the version, and the engines and devices of this machine");
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
