#include "scaling/fleet/spawn.hpp"

#include <signal.h>
#include <spawn.h>
#include <unistd.h>

extern char** environ;

namespace penstock::scaling {
namespace {

struct actions {
  actions() { ::posix_spawn_file_actions_init(&value); }
  ~actions() { ::posix_spawn_file_actions_destroy(&value); }
  actions(const actions&) = delete;
  actions& operator=(const actions&) = delete;
  posix_spawn_file_actions_t value{};
};

struct attributes {
  attributes() { ::posix_spawnattr_init(&value); }
  ~attributes() { ::posix_spawnattr_destroy(&value); }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;
  posix_spawnattr_t value{};
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

} // namespace

core::expected<pid_t> spawn(const std::vector<std::string>& words, const streams& to,
                            const std::vector<std::string>& environment) {
  if (words.empty()) return core::fail(core::errc::invalid_argument, "no program to start");
  actions files;
  ::posix_spawn_file_actions_adddup2(&files.value, to.in, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files.value, to.out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files.value, to.err, STDERR_FILENO);
  attributes how;
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setpgroup(&how.value, 0); // a Ctrl-C for us is none for it
  ::posix_spawnattr_setsigmask(&how.value, &none);
  ::posix_spawnattr_setsigdefault(&how.value, &all);
  ::posix_spawnattr_setflags(&how.value, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  auto arguments = words;
  auto variables = environment;
  for (auto** each = environ; *each != nullptr; ++each) variables.emplace_back(*each);
  pid_t pid = -1;
  const auto number = ::posix_spawnp(&pid, words.front().c_str(), &files.value, &how.value,
                                     pointers_to(arguments).data(), pointers_to(variables).data());
  if (number != 0) return system_failure(words.front(), number);
  return pid;
}

} // namespace penstock::scaling
