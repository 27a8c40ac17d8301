#include "transport/keys.hpp"

#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.hpp"

namespace penstock::cli {

namespace {

struct options {
  std::filesystem::path folder = "keys";
  std::vector<std::string> names;
};

/// What goes where.
void explain(const std::filesystem::path& folder, const std::string& name) {
  const bool is_head = name == "head";
  std::cout << fmt::format("{}: public; copy it into the key folder of {}\n", (folder / (name + ".key")).string(),
                           is_head ? "every machine" : "the head, which lets its owner join");
  std::cout << fmt::format("{}: secret; only for {}, and no other user of its machine\n",
                           (folder / (name + ".key_secret")).string(),
                           is_head ? "the head" : fmt::format("what runs as \"{}\"", name));
}

int make_keys(const options& given) {
  const auto refuse = [](const core::error& why) {
    std::cerr << "penstock keys: " << why.message << '\n';
    return why.code == core::errc::bad_config ? exit_usage : exit_failed;
  };
  // All or none: the names are free, and fit, before anything is written.
  for (const auto& name : given.names)
    if (auto ok = transport::may_write_key_pair(given.folder, name); !ok) return refuse(ok.error());
  for (const auto& name : given.names) {
    if (auto pair = transport::write_key_pair(given.folder, name); !pair) return refuse(pair.error());
    explain(given.folder, name);
  }
  std::cout.flush();
  return std::cout ? exit_done : exit_failed;
}

} // namespace

void add_keys(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("keys", "Make key pairs, with which links between machines are encrypted");
  auto given = std::make_shared<options>();
  command->add_option("--folder", given->folder, "Where they are written")->capture_default_str();
  command->add_option("names", given->names, "Names: head, and the roles or workers that may join")->required();
  command->callback([given, &exit] { exit = make_keys(*given); });
}

} // namespace penstock::cli
