#pragma once

#include <map>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "tests/unit/dispatch/packets.hpp"

namespace penstock::test {

/// A dispatcher, a clock, and what it asked for.
struct desk {
  explicit desk(dispatch::dispatcher_config config = {}) : d{config, 1} {}

  static core::segment_id segment(std::uint32_t stream, std::uint64_t number) { return {{stream}, 1, number}; }

  void add(std::uint32_t stream, dispatch::stream_limits limits) { d.add_stream({stream}, limits, out); }
  void join(std::uint32_t worker, std::uint32_t credit, dispatch::worker_capacity capacity = {4, 4}) {
    d.worker_joined({worker}, capacity, now, out);
    if (credit > 0) d.worker_credit({worker}, credit, now, out);
  }
  void open(std::uint32_t stream, std::uint64_t number) {
    next_ordinal[{stream, number}] = 0;
    d.segment_opened({stream}, number, make_codec(), now, out);
  }
  void push(std::uint32_t stream, std::uint64_t number, int count = 1, bool wanted = true, std::size_t bytes = 100) {
    for (int i = 0; i < count; ++i)
      d.packet({segment(stream, number), next_ordinal[{stream, number}]++},
               make_packet(0, core::random_access::none, bytes), true, wanted, now, out);
  }
  void close(std::uint32_t stream, std::uint64_t number) { d.segment_closed({stream}, number, now, out); }
  void whole(std::uint32_t stream, std::uint64_t number, int count = 2) {
    open(stream, number);
    push(stream, number, count);
    close(stream, number);
  }
  void resolve(core::segment_id id, std::uint32_t from, std::uint32_t to) {
    for (auto i = from; i < to; ++i) d.frame_resolved({id, i}, now, out);
  }
  void wait(std::chrono::milliseconds time) {
    now += time;
    d.tick(now, out);
  }
  /// Who was asked to open what since the last call.
  std::vector<std::pair<std::uint32_t, core::segment_id>> opened() {
    std::vector<std::pair<std::uint32_t, core::segment_id>> pairs;
    for (const auto& o : all<dispatch::send_open>(out)) pairs.emplace_back(o.worker.value, o.segment);
    out.clear();
    return pairs;
  }
  [[nodiscard]] std::map<core::drop_reason, int> drops() const {
    std::map<core::drop_reason, int> counts;
    for (const auto& a : all<dispatch::drop_frame>(out)) ++counts[a.reason];
    return counts;
  }

  dispatch::dispatcher d;
  dispatch::dispatcher::actions out;
  core::time_point now{std::chrono::hours{1}};
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint32_t> next_ordinal;
};

using leases = std::vector<std::pair<std::uint32_t, core::segment_id>>;

} // namespace penstock::test
