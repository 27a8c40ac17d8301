#include "scaling/fleet/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <utility>

#include "scaling/fleet/spawn.hpp"
#include "scaling/fleet/worker_process.hpp"

namespace penstock::scaling {
namespace {

namespace fs = std::filesystem;

constexpr const char* suffix = ".worker";

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

/// How a child ended, in words.
std::string words_of(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

std::string last_line(const fs::path& file) {
  constexpr std::streamoff most = 4'096;
  std::ifstream in{file, std::ios::binary | std::ios::ate};
  if (!in) return {};
  in.seekg(std::max<std::streamoff>(0, in.tellg() - most));
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) out = line;
  }
  return out;
}

class processes final : public fleet {
 public:
  processes(process_options options, descriptor lock) : options_{std::move(options)}, lock_{std::move(lock)} {}

  /// Finds what an earlier owner of the folder left.
  core::expected<void> adopt() {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator{options_.folder, failed}) {
      const auto name = entry.path().stem().string();
      if (entry.path().extension() != suffix || !is_name(name)) continue;
      auto record = read_record(entry.path());
      if (!record && record.error().code != core::errc::corrupt) return tl::unexpected{record.error()};
      // A file that is not whole was written when its owner, or the machine, ended: the worker may run all the same.
      if (!record) record = process_record{};
      if (!record->process) record->process = find_by_environment(variable_of(name));
      workers_[name] = *record;
    }
    if (failed) return system_failure(options_.folder.string(), failed.value());
    const auto known = std::exchange(workers_, {});
    for (const auto& [name, record] : known) {
      if (!record.process || !is_alive(*record.process)) {
        forget(name);
        continue;
      }
      workers_[name] = record;
      if (auto kept = write_record(file_of(name), record); !kept) return kept;
    }
    target_ = staying();
    return {};
  }

  [[nodiscard]] std::string_view kind() const noexcept override { return "process"; }

  core::expected<fleet_state> observe() override {
    tend();
    fleet_state out{target_, {}};
    for (const auto& [name, record] : workers_) {
      out.instances.push_back(
          {name, name, is_stopping(record) ? instance_state::deleting : instance_state::running, false});
    }
    return out;
  }

  core::expected<void> set_target(int instances) override {
    if (instances > options_.most) {
      return core::fail(core::errc::unavailable, fmt::format("process: {} workers wanted, at most {} are allowed "
                                                             "(process.most)",
                                                             instances, options_.most));
    }
    tend();
    while (staying() < instances) {
      if (auto started = start(); !started) return started;
      target_ = staying();
    }
    return {};
  }

  core::expected<void> retire(const std::vector<std::string>& ids) override {
    tend();
    for (const auto& id : ids) {
      const auto found = workers_.find(id);
      if (found == workers_.end() || is_stopping(found->second)) continue;
      auto record = found->second;
      record.stopping_since_ms = std::max<std::int64_t>(1, boot_clock_ms());
      // Written first: who comes after us must know that it is to go.
      if (auto kept = write_record(file_of(id), record); !kept) return kept;
      found->second = record;
      target_ = staying();
      static_cast<void>(signal_process(*record.process, SIGTERM)); // one that has ended is what was wanted
    }
    return {};
  }

  core::expected<void> protect(const std::string&, bool) override { return {}; }

  std::vector<core::error> problems() override { return std::exchange(problems_, {}); }

 private:
  [[nodiscard]] static bool is_stopping(const process_record& record) { return record.stopping_since_ms > 0; }
  [[nodiscard]] fs::path file_of(const std::string& name) const { return options_.folder / (name + suffix); }
  [[nodiscard]] fs::path log_of(const std::string& name) const { return options_.folder / (name + ".log"); }
  [[nodiscard]] std::string variable_of(const std::string& name) const {
    return "PENSTOCK_FLEET_WORKER=" + (options_.folder / name).string();
  }

  [[nodiscard]] int staying() const {
    return static_cast<int>(
        std::count_if(workers_.begin(), workers_.end(), [](const auto& each) { return !is_stopping(each.second); }));
  }

  /// Reaps it where it is a child of ours that has ended.
  static bool is_alive(const process_identity& process, int* status = nullptr) {
    if (const auto now = identify(process.pid)) return *now == process;
    int ended = 0;
    if (::waitpid(process.pid, &ended, WNOHANG) == process.pid && status != nullptr) *status = ended;
    return false;
  }

  void forget(const std::string& name) {
    std::error_code failed;
    fs::remove(file_of(name), failed);
    if (failed) problems_.push_back({core::errc::io, file_of(name).string() + ": " + failed.message()});
  }

  /// Looks at all: forgets those that have ended, kills those whose grace is over.
  void tend() {
    for (auto each = workers_.begin(); each != workers_.end();) {
      const auto& [name, record] = *each;
      constexpr int unknown = -1;
      int status = unknown;
      if (is_alive(*record.process, &status)) {
        if (is_stopping(record) && boot_clock_ms() - record.stopping_since_ms >= options_.grace.count()) {
          if (signal_process(*record.process, SIGKILL)) {
            problems_.push_back({core::errc::timeout, name + ": killed: it had not ended in its grace"});
          }
        }
        ++each;
        continue;
      }
      if (!is_stopping(record)) {
        // One that drained ends in order.
        const bool failed = status == unknown || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        if (failed) {
          problems_.push_back(
              {core::errc::unavailable,
               fmt::format("{} has ended by itself ({}): {}", name,
                           status == unknown ? "nobody saw how" : words_of(status), last_line(log_of(name)))});
        }
        --target_;
      }
      forget(name);
      each = workers_.erase(each);
    }
  }

  core::expected<void> start() {
    auto number = 1;
    while (workers_.contains(options_.prefix + std::to_string(number))) ++number;
    const auto name = options_.prefix + std::to_string(number);
    // The file is there before the process, so that no end of ours leaves one that nobody finds.
    if (auto kept = write_record(file_of(name), {}); !kept) return kept;
    const descriptor nothing{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const descriptor log{::open(log_of(name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
    if (!nothing || !log) {
      const auto number_of_error = errno;
      forget(name);
      return system_failure(log_of(name).string(), number_of_error);
    }
    auto words = options_.command;
    for (auto& word : words) {
      constexpr std::string_view place = "{name}";
      for (auto at = word.find(place); at != std::string::npos; at = word.find(place, at + name.size())) {
        word.replace(at, place.size(), name);
      }
    }
    const auto pid = spawn(words, {nothing.get(), log.get(), log.get()}, {variable_of(name)});
    if (!pid) {
      forget(name);
      return tl::unexpected{pid.error()};
    }
    process_record record;
    record.process = identify(*pid);
    if (!record.process) {
      // It has ended already; who it was does not matter any more, only that its end is told.
      record.process = process_identity{*pid, 0, {}};
    }
    workers_[name] = record;
    return write_record(file_of(name), record);
  }

  process_options options_;
  descriptor lock_;
  std::map<std::string, process_record> workers_;
  int target_ = 0;
  std::vector<core::error> problems_;
};

} // namespace

core::expected<void> process_options::validate() const {
  const auto wrong = [](const char* key, std::string_view why) {
    return core::fail(core::errc::bad_config, fmt::format("process.{}: {}", key, why));
  };
  if (command.empty() || command.front().empty()) return wrong("command", "names no program");
  const auto has_name = [](const std::string& word) { return word.find("{name}") != std::string::npos; };
  if (std::none_of(command.begin(), command.end(), has_name)) {
    return wrong("command", "must hold {name}, so that each worker has its own");
  }
  if (folder.empty()) return wrong("folder", "names no folder");
  if (!is_name(prefix) || prefix.size() > 48) {
    return wrong("prefix", "must be 1 to 48 letters, digits, '-' or '_', is \"" + prefix + "\"");
  }
  if (grace.count() < 0) return wrong("grace", "must not be below 0");
  if (most < 1) return wrong("most", "must be above 0");
  return {};
}

core::expected<fleet_ptr> open_processes(const process_options& options) {
  if (auto valid = options.validate(); !valid) return tl::unexpected{valid.error()};
  std::error_code failed;
  auto absolute = options;
  absolute.folder = fs::absolute(options.folder, failed).lexically_normal();
  if (!failed) fs::create_directories(absolute.folder, failed);
  if (failed) return system_failure(options.folder.string(), failed.value());
  const auto lock_file = absolute.folder / "lock";
  descriptor lock{::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
  if (!lock) return system_failure(lock_file.string(), errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return core::fail(core::errc::unavailable, absolute.folder.string() + ": another process has these workers");
  }
  auto made = std::make_unique<processes>(std::move(absolute), std::move(lock));
  if (auto found = made->adopt(); !found) return tl::unexpected{found.error()};
  return made;
}

} // namespace penstock::scaling
