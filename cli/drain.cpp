#include <fmt/format.h>

#include <memory>
#include <string>

#include "actors/head_client.hpp"
#include "cli/command.hpp"
#include "cli/fleet.hpp"

namespace penstock::cli {

namespace {

struct arguments {
  std::string head;
  std::string worker;
  std::string keys;
  std::string key = "operator";
  double timeout = 300;
};

int drain(const arguments& args) {
  const auto keys = keys_in(args.keys, args.key, args.key);
  if (!keys) {
    fmt::print(stderr, "--keys: {}\n", keys.error().message);
    return exit_bad_config;
  }
  const std::chrono::milliseconds patience{static_cast<std::int64_t>(args.timeout * 1000)};
  const auto left = actors::drain_worker({args.head, *keys, "penstock " PENSTOCK_VERSION}, args.worker, patience);
  if (!left) {
    fmt::print(stderr, "{}: {}\n", args.head, left.error().message);
    return exit_failed;
  }
  fmt::print("{} has left: {}\n", args.worker, *left);
  return exit_done;
}

} // namespace

void add_drain(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("drain", "Have a worker finish what it has and leave, and wait for that");
  auto args = std::make_shared<arguments>();
  command->add_option("worker", args->worker, "Its name")->required()->type_name("WORKER");
  command->add_option("--head", args->head, "The head's address")->required()->type_name("ADDRESS");
  command->add_option("--keys", args->keys, "Folder of keys, where links are encrypted")->type_name("FOLDER");
  command->add_option("--key", args->key, "Name of this program's key")->type_name("NAME")->capture_default_str();
  command->add_option("--timeout", args->timeout, "Longest time to wait")->type_name("SECONDS")->capture_default_str();
  command->callback([args, &exit] { exit = drain(*args); });
}

} // namespace penstock::cli
