#include "cli/ledger_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>

namespace penstock::cli {

namespace {

std::string remarks(const actors::stream_report& stream) {
  const auto& ledger = stream.ledger;
  std::string out;
  if (stream.finished_before) out = "was finished before";
  if (stream.resumed_at) out = fmt::format("resumed at frame {}", *stream.resumed_at);
  for (const auto reason : core::all_drop_reasons) {
    const auto n = ledger.dropped_for(reason);
    if (n > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", n, core::to_string(reason));
  }
  return out;
}

std::string remarks(const dispatch::ledger& ledger) {
  actors::stream_report stream;
  stream.ledger = ledger;
  return remarks(stream);
}

nlohmann::ordered_json counts_of(const dispatch::ledger& ledger) {
  nlohmann::ordered_json dropped = nlohmann::ordered_json::object();
  for (const auto reason : core::all_drop_reasons)
    if (const auto n = ledger.dropped_for(reason); n > 0) dropped[std::string{core::to_string(reason)}] = n;
  return {{"received", ledger.received},
          {"delivered", ledger.delivered},
          {"dropped", dropped},
          {"in_flight", ledger.in_flight()}};
}

} // namespace

std::string ledger_table(const actors::run_report& report) {
  std::size_t width = 6;
  for (const auto& stream : report.streams) width = std::max(width, stream.id.size());
  for (const auto& other : report.others) width = std::max(width, other.id.size());
  auto out = fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9}  {}\n", "stream", width, "received", "delivered", "dropped",
                         "in flight", "reasons");
  const auto line = [&](const std::string& id, const dispatch::ledger& ledger, const std::string& remark) {
    out += fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9}  {}\n", id, width, ledger.received, ledger.delivered,
                       ledger.dropped_total(), ledger.in_flight(), remark);
  };
  for (const auto& stream : report.streams) line(stream.id, stream.ledger, remarks(stream));
  for (const auto& other : report.others)
    if (other.ledger.received > 0) line(other.id, other.ledger, remarks(other.ledger));
  return out;
}

nlohmann::ordered_json ledger_json(const actors::run_report& report) {
  nlohmann::ordered_json streams = nlohmann::ordered_json::object();
  for (const auto& stream : report.streams) {
    auto& to = streams[stream.id] = counts_of(stream.ledger);
    if (stream.resumed_at) to["resumed_at"] = *stream.resumed_at;
    if (stream.finished_before) to["finished_before"] = true;
  }
  for (const auto& other : report.others) streams[other.id] = counts_of(other.ledger);
  return {{"streams", streams}};
}

core::expected<void> write_json(const std::string& file, const nlohmann::ordered_json& document) {
  const auto text = document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (file == "-") {
    std::cout << text << std::flush;
    return std::cout ? core::expected<void>{} : core::fail(core::errc::io, "standard output cannot be written");
  }
  std::ofstream out{file};
  out << text << std::flush;
  if (!out) return core::fail(core::errc::io, file + ": cannot be written");
  return {};
}

} // namespace penstock::cli
