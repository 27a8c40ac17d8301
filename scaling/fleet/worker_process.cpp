#include "scaling/fleet/worker_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "scaling/fleet/pidfd.hpp"
#include "scaling/fleet/spawn.hpp"

namespace penstock::scaling {
namespace {

std::string contents(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

const std::string& this_boot() {
  static const auto id = [] {
    auto text = contents("/proc/sys/kernel/random/boot_id");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }();
  return id;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number out{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return out;
}

} // namespace

std::optional<process_identity> identify(pid_t pid) {
  const auto text = contents("/proc/" + std::to_string(pid) + "/stat");
  // The program's name is in parentheses and may hold anything.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::string_view left{text};
  left.remove_prefix(name_end + 1);
  constexpr int state_field = 3;
  constexpr int start_field = 22; // proc(5)
  std::string_view state;
  for (int field = state_field; field <= start_field; ++field) {
    left.remove_prefix(std::min(left.find_first_not_of(' '), left.size()));
    const auto word = left.substr(0, left.find(' '));
    left.remove_prefix(word.size());
    if (field == state_field) state = word;
    if (field != start_field) continue;
    const auto started = number_of<std::uint64_t>(word);
    if (!started || state == "Z" || state == "X") return std::nullopt;
    return process_identity{pid, *started, this_boot()};
  }
  return std::nullopt;
}

bool signal_process(const process_identity& to, int signal) {
  const descriptor held{::pidfd_open(to.pid, 0)};
  // Whoever is held now cannot become another: its start is looked at after that.
  return held && identify(to.pid) == to && ::pidfd_send_signal(held.get(), signal, nullptr, 0) == 0;
}

std::optional<process_identity> find_by_environment(const std::string& variable) {
  std::optional<process_identity> oldest;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc", failed}) {
    const auto pid = number_of<pid_t>(entry.path().filename().string());
    if (!pid) continue;
    const auto variables = '\0' + contents(entry.path() / "environ");
    if (variables.find('\0' + variable + '\0') == std::string::npos) continue;
    auto found = identify(*pid);
    if (found && (!oldest || found->started < oldest->started)) oldest = std::move(found);
  }
  return oldest;
}

core::expected<process_record> read_record(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in) return system_failure(file.string(), errno);
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (text.empty()) return process_record{}; // made, and not yet written
  const auto body = nlohmann::json::parse(text, nullptr, false);
  process_record out;
  if (!body.is_object()) return core::fail(core::errc::corrupt, file.string() + ": no record of a worker");
  try {
    out.stopping_since_ms = body.value("stopping_since_ms", std::int64_t{0});
    if (body.contains("pid")) {
      out.process = process_identity{body.at("pid").get<pid_t>(), body.at("started").get<std::uint64_t>(),
                                     body.at("boot").get<std::string>()};
    }
  } catch (const nlohmann::json::exception&) {
    return core::fail(core::errc::corrupt, file.string() + ": no record of a worker");
  }
  return out;
}

core::expected<void> write_record(const std::filesystem::path& file, const process_record& record) {
  nlohmann::json body{{"stopping_since_ms", record.stopping_since_ms}};
  if (record.process) {
    body["pid"] = record.process->pid;
    body["started"] = record.process->started;
    body["boot"] = record.process->boot;
  }
  const auto text = body.dump() + "\n";
  auto next = file;
  next += ".next";
  const descriptor to{::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!to) return system_failure(next.string(), errno);
  if (::write(to.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(to.get()) != 0) {
    return system_failure(next.string(), errno);
  }
  if (::rename(next.c_str(), file.c_str()) != 0) return system_failure(file.string(), errno);
  return {};
}

std::int64_t boot_clock_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

} // namespace penstock::scaling
