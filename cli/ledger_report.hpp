#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "actors/run_report.hpp"
#include "core/error.hpp"

namespace penstock::cli {

/// The ledger of every stream as a table for people.
[[nodiscard]] std::string ledger_table(const actors::run_report& report);

/// `{"streams": {ID: {"received", "delivered", "dropped": {REASON: N}, "in_flight"}}}`; only reasons that occurred.
/// Streams that went on where an earlier life of the program ended have `"resumed_at": SEQ`, those it left nothing of
/// `"finished_before": true`.
[[nodiscard]] nlohmann::ordered_json ledger_json(const actors::run_report& report);

/// Writes a document to a file, or to standard output for "-".
[[nodiscard]] core::expected<void> write_json(const std::string& file, const nlohmann::ordered_json& document);

} // namespace penstock::cli
