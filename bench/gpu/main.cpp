/// Figures of the GPU path on this machine's CUDA device, as JSON; bench/gpu/run.sh builds, runs and tabulates it. With
/// `--device host` the same program runs on the CPU at small sizes: that tries its logic and measures nothing.
/// Exit status 77: there is no device, nothing was measured.

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <string>
#include <string_view>

#include "bench/arguments.hpp"
#include "bench/figures.hpp"
#include "bench/gpu/benches.hpp"
#include "bench/gpu/cuda_copy.hpp"

namespace {

using namespace penstock;

constexpr std::string_view usage =
    "bench_gpu [--device cuda:N|host] [--only copy,preprocess,decode,twins,pipeline] [--repeats N] [--model FILE]\n"
    "          [--engine NAME] [--precision model|f32|f16] [--side PX] [--batch N] [--lanes N] [--batches N]\n"
    "          [--dump FOLDER] [--json FILE]";

bench::bench_device open(const std::string& name) {
  bench::bench_device on;
  if (name == "host") {
    on.device = kernels::make_host_device();
    on.real = false;
  } else {
    if (!name.starts_with("cuda:") || name.size() != 6 || name[5] < '0' || name[5] > '9') bench::arguments::stop(usage);
    on.device = bench::must(kernels::open_cuda_device(static_cast<std::size_t>(name[5] - '0')), name);
  }
  on.stream = bench::must(on.device->make_stream(), "stream");
  return on;
}

nlohmann::json describe(const bench::bench_device& on, const bench::cuda_facts& facts) {
  const auto& info = on.device->info();
  return {{"name", info.name},
          {"model", info.model},
          {"capability", info.capability},
          {"driver", info.driver},
          {"memory_bytes", info.memory_bytes},
          {"cuda_runtime", facts.runtime},
          {"l2_bytes", facts.l2_bytes},
          {"multiprocessors", facts.multiprocessors}};
}

nlohmann::json measure(const bench::arguments& arguments) {
  auto on = open(arguments["device"]);
  on.repeats = static_cast<std::size_t>(arguments.integer("repeats"));
  const auto facts = on.real ? bench::read_cuda_facts() : bench::cuda_facts{};
  on.cache_bytes = facts.l2_bytes;
  const auto only = fmt::format(",{},", arguments["only"]);
  const auto chosen = [&](std::string_view name) { return only.find(fmt::format(",{},", name)) != std::string::npos; };
  nlohmann::json all{{"measurement", on.real}, {"device", describe(on, facts)}};
  if (chosen("copy")) all["copy"] = bench::copy_figures(on);
  if (chosen("preprocess")) all["preprocess"] = bench::preprocess_figures(on, arguments["dump"]);
  if (chosen("decode")) all["decode"] = bench::decode_figures(on);
  if (chosen("twins")) all["twins"] = bench::twin_figures(on);
  if (chosen("pipeline")) {
    bench::pipeline_options options;
    options.model = arguments["model"];
    options.engine = arguments["engine"];
    options.precision = arguments["precision"];
    options.batch = static_cast<std::size_t>(arguments.integer("batch"));
    options.lanes = static_cast<std::size_t>(arguments.integer("lanes"));
    options.batches = static_cast<std::size_t>(arguments.integer("batches"));
    options.side_px = arguments.integer("side");
    all["pipeline"] = bench::pipeline_figures(on, options);
  }
  return all;
}

} // namespace

int main(int argc, char** argv) {
  const bench::arguments arguments{argc,
                                   argv,
                                   {{"device", "cuda:0"},
                                    {"only", "copy,preprocess,decode,twins"},
                                    {"repeats", "50"},
                                    {"model", ""},
                                    {"engine", "auto"},
                                    {"precision", "f16"},
                                    {"side", "640"},
                                    {"batch", "32"},
                                    {"lanes", "3"},
                                    {"batches", "120"},
                                    {"dump", ""},
                                    {"json", "-"}},
                                   usage};
  if (!arguments.rest().empty()) bench::arguments::stop(usage);
  if (arguments["device"] != "host" && kernels::cuda().devices.empty()) {
    std::fprintf(stderr, "bench_gpu: nothing was measured: %s\n", kernels::cuda().absent.c_str());
    return 77;
  }
  try {
    if (!bench::write_figures(arguments["json"], measure(arguments))) {
      std::fprintf(stderr, "bench_gpu: %s cannot be written\n", arguments["json"].c_str());
      return 1;
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_gpu: %s\n", e.what());
    return 1;
  }
  return 0;
}
