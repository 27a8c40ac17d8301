#include "cli/scaling_loop.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "cli/signal_watch.hpp"

namespace penstock::cli {

namespace {

constexpr unsigned say_again_after = 20; ///< rounds

std::string utc_now() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

/// What has to change for a decision to be news: numbers of the load change always.
std::string gist_of(const scaling::decision& made) {
  return fmt::format("{} {} {} {} {} {} {} {} {}", to_string(made.action), made.want, made.have, made.booting,
                     made.draining, made.missing, made.target.value_or(-1), fmt::join(made.drain, ","),
                     fmt::join(made.retire, ","));
}

std::string acts_of(const scaling::decision& made) {
  std::string out;
  if (!made.drain.empty()) out += fmt::format("; drain {}", fmt::join(made.drain, ", "));
  if (!made.retire.empty()) out += fmt::format("; retire {}", fmt::join(made.retire, ", "));
  if (made.target) out += fmt::format("; ask for {}", *made.target);
  return out;
}

} // namespace

core::expected<event_file> event_file::open(const std::string& file) {
  event_file made;
  made.name_ = file;
  if (file.empty() || file == "-") return made;
  made.out_.open(file, std::ios::app);
  if (!made.out_) return core::fail(core::errc::io, file + ": cannot be written");
  return made;
}

core::expected<void> event_file::write(const std::string& line) {
  if (name_.empty()) return {};
  bool written = false;
  if (name_ == "-") {
    written = std::fputs((line + "\n").c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  } else {
    written = static_cast<bool>(out_ << line << std::endl);
    out_.clear(); // the next line is another try
  }
  if (!written) return core::fail(core::errc::io, name_ + ": cannot be written");
  return {};
}

void round_teller::tell(const scaling::scaling_round& round) {
  if (!round.made && round.trouble.empty() && led_by_ != round.led_by) {
    led_by_ = round.led_by;
    spdlog::info("scaling {}: {} decides; standing by", role_, round.led_by.empty() ? "another one" : round.led_by);
  }
  tell_trouble(round.trouble);
  if (!round.made) return;
  led_by_.reset();
  tell_decision(*round.made);
}

void round_teller::tell_decision(const scaling::decision& made) {
  if (auto written = events_.write(to_json(made, role_, utc_now())); !written) {
    spdlog::error("{}", written.error().message);
  }
  auto gist = gist_of(made);
  if (gist == said_ && ++unsaid_ < say_again_after) return;
  said_ = std::move(gist);
  unsaid_ = 0;
  const auto level = made.is_frozen() ? spdlog::level::warn : spdlog::level::info;
  spdlog::log(level, "scaling {}: {}{}", role_, made.why, acts_of(made));
}

void round_teller::tell_trouble(const std::vector<core::error>& trouble) {
  std::string all;
  for (const auto& each : trouble) all += each.message + "\n";
  if (all == std::exchange(troubles_, all)) return;
  for (const auto& each : trouble) spdlog::warn("scaling {}: {}", role_, each.message);
}

void run_scaling(scaling::scaler& scaler, round_teller& teller, std::chrono::milliseconds interval,
                 std::chrono::milliseconds keep_every, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto due = core::clock::now() + interval;
    teller.tell(scaler.step());
    for (auto now = core::clock::now(); now < due && !stop.stop_requested(); now = core::clock::now()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - now);
      if (!rest(std::min(left, keep_every), stop)) break;
      scaler.keep_lead();
    }
  }
  if (auto resigned = scaler.stop(); !resigned) {
    spdlog::warn("others wait until the lease of this controller is over: {}", resigned.error().message);
  }
}

} // namespace penstock::cli
