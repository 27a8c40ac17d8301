#include "front/http_options.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace penstock::front {
namespace {

// The schema has checked all of these to be at least 1.
std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

std::chrono::milliseconds ms(topology::duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d); }

gateway::scope scope_of(topology::http_scope s) {
  switch (s) {
  case topology::http_scope::detect: break;
  case topology::http_scope::jobs: return gateway::scope::jobs;
  case topology::http_scope::streams: return gateway::scope::streams;
  case topology::http_scope::admin: return gateway::scope::admin;
  }
  return gateway::scope::detect;
}

gateway::token_options token_of(const topology::http_token_config& t) {
  gateway::token_options out{t.name, t.sha256, {}};
  for (const auto s : t.scopes) out.scopes.push_back(scope_of(s));
  return out;
}

} // namespace

gateway::options http_options_of(const topology::config& topology, const std::string& address) {
  const auto& http = topology.http;
  gateway::options o;
  o.address = address;
  for (const auto& t : http.tokens) o.tokens.push_back(token_of(t));
  o.insecure = topology.security.insecure;
  o.open_health = http.open.health;
  o.open_metrics = http.open.metrics;
  o.console = http.console;
  o.rate_per_token = {http.rate.per_token.per_s, http.rate.per_token.burst};
  o.rate_per_address = {http.rate.per_address.per_s, http.rate.per_address.burst};
  o.tls = {http.tls.certificate, http.tls.key, ms(http.tls.check_every)};
  o.cors_origins = http.cors;
  o.limits = {.connections = size(http.limits.connections),
              .connections_per_address = size(http.limits.connections_per_address),
              .header_bytes = size(http.limits.header),
              .image_bytes = size(http.limits.image),
              .json_bytes = size(http.limits.json),
              .upload_bytes = size(http.limits.upload),
              .buffered_bytes = size(http.limits.buffered),
              .picture_pixels = size(std::min(http.limits.pixels, topology.media.max_pixels))};
  o.timeouts = {.header = ms(http.timeouts.header),
                .idle = ms(http.timeouts.idle),
                .body = ms(http.timeouts.body),
                .body_bytes_per_s = size(http.timeouts.body_rate),
                .write = ms(http.timeouts.write)};
  o.admission = {.in_flight = size(http.admission.in_flight),
                 .max_wait = ms(http.admission.max_wait),
                 .deadline = ms(http.admission.deadline),
                 .max_deadline = ms(http.admission.max_deadline)};
  o.events = {
      .queue = size(http.events.queue), .readers = size(http.events.readers), .keep_alive = ms(http.events.keep_alive)};
  o.preview = {.fps = http.preview.fps, .viewers = size(http.preview.viewers)};
  return o;
}

} // namespace penstock::front
