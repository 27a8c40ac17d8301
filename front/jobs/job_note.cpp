#include "front/jobs/job_note.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace penstock::front {

namespace {

constexpr int version = 1;

void read_drops(const nlohmann::json& from, job_note& into) {
  for (const auto reason : core::all_drop_reasons)
    into.dropped[static_cast<std::size_t>(reason)] = from.value(std::string{core::to_string(reason)}, std::uint64_t{0});
}

} // namespace

std::string to_text(const job_note& note) {
  auto parts = nlohmann::json::array();
  for (const auto& each : note.parts) parts.push_back({each.epoch, each.count});
  auto dropped = nlohmann::json::object();
  for (const auto reason : core::all_drop_reasons) {
    const auto count = note.dropped[static_cast<std::size_t>(reason)];
    if (count > 0) dropped[std::string{core::to_string(reason)}] = count;
  }
  const auto& at = note.progress;
  return nlohmann::json{{"v", version},
                        {"begun", at.begun},
                        {"finished", at.finished},
                        {"segment", at.segment},
                        {"seq", at.seq},
                        {"packets", at.packets},
                        {"emitted_before", at.emitted_before},
                        {"next_seq", note.next_seq},
                        {"parts", std::move(parts)},
                        {"dropped", std::move(dropped)},
                        {"frames_per_s", note.frames_per_s}}
      .dump();
}

core::expected<job_note> parse_job_note(std::string_view text) try {
  job_note note;
  if (text.empty()) return note;
  const auto json = nlohmann::json::parse(text);
  if (const auto found = json.at("v").get<int>(); found != version)
    return core::fail(core::errc::corrupt, fmt::format("a job's checkpoint of version {}; known: {}", found, version));
  json.at("begun").get_to(note.progress.begun);
  json.at("finished").get_to(note.progress.finished);
  json.at("segment").get_to(note.progress.segment);
  json.at("seq").get_to(note.progress.seq);
  json.at("packets").get_to(note.progress.packets);
  json.at("emitted_before").get_to(note.progress.emitted_before);
  json.at("next_seq").get_to(note.next_seq);
  for (const auto& each : json.at("parts"))
    note.parts.push_back({each.at(0).get<std::uint64_t>(), each.at(1).get<std::uint64_t>()});
  read_drops(json.at("dropped"), note);
  json.at("frames_per_s").get_to(note.frames_per_s);
  return note;
} catch (const nlohmann::json::exception& e) {
  return core::fail(core::errc::corrupt, fmt::format("a job's checkpoint is none: {}", e.what()));
}

std::string part_of(std::string_view id, std::uint64_t epoch, std::uint64_t number) {
  return jobs::part_name(id, fmt::format("{}-{}", epoch, number));
}

std::uint64_t parts_in(const job_note& note) noexcept {
  std::uint64_t sum = 0;
  for (const auto& each : note.parts) sum += each.count;
  return sum;
}

std::string part_at(const job_note& note, std::string_view id, std::uint64_t index) {
  for (const auto& each : note.parts) {
    if (index < each.count) return part_of(id, each.epoch, index);
    index -= each.count;
  }
  return {};
}

} // namespace penstock::front
