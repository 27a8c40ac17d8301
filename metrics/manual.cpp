#include "metrics/manual.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "metrics/families.hpp"

namespace penstock::metrics {

namespace {

constexpr std::string_view introduction = R"(# Metrics

Every process serves its metrics at `/metrics` in Prometheus' text format: where `--metrics HOST:PORT` says, and a head at
its HTTP door too. `GET /v1/targets` of the door names the head and its workers for Prometheus' HTTP service discovery;
[deploy/prometheus](../deploy/prometheus) has a configuration, rules and alerts. This page is made by
`penstock schema --metrics`.

At most 1000 streams have series of their own; the others share the label `other`. Roles, stages, reasons and states are
of fixed sets, and routes are patterns, so the number of series does not grow with what clients send.

)";

constexpr std::string_view signals = R"(## Signals

What scaling decides on, of each role of workers, made by the head (`penstock_pool_…`). *Items* are what workers are given:
frames that are not sampled out, and pictures of requests. Sums go over a sliding window of 30 s, in whole seconds; no
figure is smeared. A worker tells its head several times within `dispatch.lease_timeout` what each of its stages has done
and for how long; one that begins anew begins at 0, and what it had said before stays counted.

- **Arrivals** are items that come whatever is done with them: those of live streams, of lossless streams without an end,
  and of requests, admitted or refused with 503. Files and jobs are held back, so they come as fast as they are taken:
  they are no arrivals, but backlog.
- **Backlog** is what was read and not given to a worker, and what finite sources and queued jobs are known to have yet.
- **Utilisation** is of a resource: a machine's cores, which decode and all stages in host memory share, or the lanes of
  its device. A role is as busy as the busiest of its resources.
- Every role that works is shown the arrivals, the backlog and the late items of the whole pipeline: each item needs every
  part of a cut. Where two roles do the same work, each is shown all of it.
- A process without roles is the role `local`.

)";

constexpr std::array<std::string_view, 2> of_signals{"penstock_pool_", "penstock_scaling_"};

bool is_signal(const family_info& family) {
  for (const auto prefix : of_signals)
    if (family.name.starts_with(prefix)) return true;
  return false;
}

std::string in_code(std::string_view labels) {
  std::string out;
  for (std::size_t at = 0; at < labels.size();) {
    const auto end = std::min(labels.find(',', at), labels.size());
    if (!out.empty()) out += ", ";
    out.append("`").append(labels.substr(at, end - at)).append("`");
    at = end + 1;
  }
  return out;
}

void add_rows(std::string& out, bool of_those) {
  out += "| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n";
  for (const auto& f : families()) {
    if (is_signal(f) != of_those) continue;
    out += "| `" + std::string{f.name} + "` | " + std::string{f.type} + " | " + in_code(f.labels) + " | " + unit_of(f) +
           " | " + std::string{f.help};
    if (!f.formula.empty()) out += ". *Formula:* " + std::string{f.formula};
    out += " |\n";
  }
}

} // namespace

std::string markdown_reference() {
  std::string out{introduction};
  add_rows(out, false);
  out += "\n";
  out += signals;
  add_rows(out, true);
  return out;
}

} // namespace penstock::metrics
