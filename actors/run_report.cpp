#include "actors/run_report.hpp"

namespace penstock::actors {

namespace {

bool lost(const stream_report& stream, bool shutting_down) {
  if (!stream.lossless || stream.job) return false; // of jobs their queue keeps account: they are tried again
  if (stream.error) return true;
  for (const auto reason : core::all_drop_reasons) {
    const bool chosen = reason == core::drop_reason::sampled || reason == core::drop_reason::cancelled ||
                        (shutting_down && reason == core::drop_reason::shutdown);
    if (!chosen && stream.ledger.dropped_for(reason) > 0) return true;
  }
  return false;
}

} // namespace

bool run_report::lost_something() const {
  if (failure) return true;
  for (const auto& stream : streams) {
    if (lost(stream, shutting_down)) return true;
  }
  return false;
}

} // namespace penstock::actors
