#pragma once

#include "actors/run_report.hpp"
#include "gateway/api.hpp"

namespace penstock::front {

/// How a stream's report is shown.
[[nodiscard]] gateway::stream_view view_of(const actors::stream_report& report);

/// waiting, connecting, running, ending, ended or failed.
[[nodiscard]] std::string_view state_word(const actors::stream_report& report) noexcept;

/// The reasons of a ledger, without zeros.
[[nodiscard]] std::map<std::string, std::uint64_t> drops_of(const dispatch::ledger& ledger);

} // namespace penstock::front
