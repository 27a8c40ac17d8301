#include "cli/top_screen.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "cli/job_view.hpp"

namespace penstock::cli {

namespace {

using nlohmann::json;

std::string text(const json& of, const char* key) { return printable(of.value(key, "")); }

/// 1234567 as 1,234,567.
std::string grouped(std::uint64_t n) {
  auto digits = std::to_string(n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string count(const json& of, const char* key) { return grouped(of.value(key, std::uint64_t{0})); }
std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string milliseconds(const json& of, const char* key) {
  const auto ms = of.value(key, 0.0);
  return ms < 10'000 ? fmt::format("{:.0f} ms", ms) : duration_text(ms / 1e3);
}

table streams_of(const json& state) {
  table out{{{"STREAM", false, 0, 8},
             {"STATE", false, 1, 0},
             {"FPS", true, 0, 0},
             {"P50", true, 4, 0},
             {"P99", true, 2, 0},
             {"DELIVERED", true, 1, 0},
             {"IN FLIGHT", true, 6, 0},
             {"DROPPED", true, 2, 0},
             {"REASONS", false, 5, 12},
             {"POLICY", false, 7, 0}}};
  for (const auto& s : state.at("streams")) {
    std::uint64_t dropped = 0;
    std::string reasons;
    const auto by_reason = s.value("dropped", json::object());
    for (const auto& [reason, n] : by_reason.items()) {
      const auto frames = n.get<std::uint64_t>();
      dropped += frames;
      if (frames > 0)
        reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", printable(reason), grouped(frames));
    }
    const auto received = s.value("received", std::uint64_t{0});
    const auto delivered = s.value("delivered", std::uint64_t{0});
    const bool balanced = received == delivered + dropped + s.value("in_flight", std::uint64_t{0});
    if (!balanced) reasons.insert(0, reasons.empty() ? "does not balance" : "does not balance, ");
    const auto phase = text(s, "state");
    out.add({text(s, "id"), phase, fmt::format("{:.1f}", s.value("frames_per_s", 0.0)),
             milliseconds(s, "latency_p50_ms"), milliseconds(s, "latency_p99_ms"), grouped(delivered),
             count(s, "in_flight"), grouped(dropped), reasons, text(s, "policy")},
            phase == "failed" || phase == "connecting" || !balanced);
  }
  return out;
}

table workers_of(const json& state) {
  table out{{{"WORKER", false, 0, 8},
             {"STATE", false, 1, 0},
             {"LOAD", true, 0, 0},
             {"LEASES", true, 2, 0},
             {"CREDIT", true, 3, 0},
             {"HEARD", true, 1, 0},
             {"DEVICE", false, 4, 6},
             {"STAGES", false, 5, 10}}};
  for (const auto& w : state.at("workers")) {
    std::string stages;
    for (const auto& s : w.value("stages", json::array()))
      stages += (stages.empty() ? "" : " ") + printable(s.get<std::string>());
    const auto how = text(w, "state");
    out.add({text(w, "name"), how, percent(w.value("load", 0.0)), count(w, "leases"), count(w, "credit"),
             duration_text(w.value("heard_s", 0.0)), text(w, "device"), stages},
            how != "working");
  }
  return out;
}

table stages_of(const json& state) {
  table out{{{"STAGE", false, 0, 8}, {"FRAMES/S", true, 0, 0}, {"BUSY", true, 1, 0}, {"WAITING", true, 2, 0}}};
  for (const auto& s : state.at("stages"))
    out.add({text(s, "name"), fmt::format("{:.1f}", s.value("items_per_s", 0.0)), percent(s.value("utilisation", 0.0)),
             count(s, "queue")});
  return out;
}

std::string head_of(const json& state) {
  std::string out = "penstock " + text(state, "pipeline");
  const auto add = [&](const std::string& part) {
    if (!part.empty()) out += " · " + part;
  };
  add(state.value("draining", false) ? "drains" : "takes work");
  add("up " + duration_text(state.value("uptime_s", 0.0)));
  for (const auto* key : {"model", "engine", "device", "version"}) add(text(state, key));
  return out;
}

std::string jobs_line(const job_counts& jobs) {
  if (!jobs.refused.empty()) return "jobs: not shown: " + jobs.refused;
  std::string out;
  for (const auto* state : job_states) {
    const auto n = jobs.of.find(state);
    const auto more = jobs.more.find(state);
    if (n == jobs.of.end()) continue;
    out += fmt::format("{}{}{} {}", out.empty() ? "jobs: " : ", ", grouped(n->second),
                       more != jobs.more.end() && more->second ? "+" : "", state);
  }
  return out;
}

/// Rows for each table, so that all of them together have room; the longest gives first.
std::array<std::size_t, 3> share_rows(std::array<std::size_t, 3> rows, std::size_t room) {
  const auto sum = [&] { return rows[0] + rows[1] + rows[2]; };
  while (sum() > room) {
    auto longest = std::ranges::max_element(rows);
    if (*longest == 0) break;
    --*longest;
  }
  return rows;
}

} // namespace

core::expected<std::vector<table_line>> top_screen(const json& state, const job_counts& jobs, const std::string& note,
                                                   std::optional<screen_size> size) {
  try {
    const std::array tables{streams_of(state), workers_of(state), stages_of(state)};
    const auto width = size ? std::optional{size->columns} : std::nullopt;
    std::vector<table_line> out{{head_of(state), true, state.value("draining", false)}};
    if (const auto line = jobs_line(jobs); !line.empty())
      out.push_back({line, false, jobs.of.contains("dead") && jobs.of.at("dead") > 0});
    if (!note.empty()) out.push_back({note, false, true});
    std::array<std::size_t, 3> rows{tables[0].rows(), tables[1].rows(), tables[2].rows()};
    if (size) {
      const auto fixed = out.size() + 2 * tables.size(); // a blank line and titles above each
      rows = share_rows(rows, size->rows > fixed ? size->rows - fixed : 0);
    }
    for (std::size_t i = 0; i < tables.size(); ++i) {
      out.emplace_back();
      const auto lines = tables[i].lines(width, rows[i]);
      out.insert(out.end(), lines.begin(), lines.end());
    }
    if (size) {
      for (auto& line : out) line.text = cut(line.text, size->columns);
      if (out.size() > size->rows) out.resize(size->rows);
    }
    return out;
  } catch (const json::exception& e) {
    return core::fail(core::errc::corrupt, fmt::format("not a door's state: {}", printable(e.what())));
  }
}

} // namespace penstock::cli
