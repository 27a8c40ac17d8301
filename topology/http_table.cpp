#include "topology/http_table.hpp"

#include <chrono>
#include <cstdint>

#include "topology/make_shapes.hpp"
#include "topology/scalar_shapes.hpp"

namespace penstock::topology {
namespace {

using std::chrono::milliseconds;

auto rate() {
  auto s = object<http_rate_config>();
  s->add("per_s", &http_rate_config::per_s, number(0), "Requests a second in the long run; 0: no limit.")
      .add("burst", &http_rate_config::burst, number(1), "Requests at once after a quiet time.");
  return s;
}

auto token() {
  auto s = object<http_token_config>();
  s->need("name", &http_token_config::name, name(), "Who holds it; stands in logs in place of the token.")
      .need("sha256", &http_token_config::sha256, sha256(),
            "SHA-256 of the token: `printf %s TOKEN | sha256sum`. The token itself stands in no file.")
      .add("scopes", &http_token_config::scopes,
           list_of<http_scope>(choice<http_scope>({{"detect", http_scope::detect},
                                                   {"jobs", http_scope::jobs},
                                                   {"streams", http_scope::streams},
                                                   {"admin", http_scope::admin}})),
           "What it may be used for; `streams` goes for state and events too, `admin` includes the others.")
      .instead_of("token", "a token stands in no file: write the sha256 of it")
      .secret();
  return s;
}

auto tls() {
  auto s = object<http_tls_config>();
  s->add("certificate", &http_tls_config::certificate, path(true),
         "PEM file: the server's certificate, then the chain. With `key` it turns encryption on.")
      .add("key", &http_tls_config::key, path(true), "PEM file of the certificate's private key.")
      .add("check_every", &http_tls_config::check_every, time_span(milliseconds{1}),
           "How often the files are looked at: a changed pair is used for new connections, a broken one is logged.");
  return s;
}

auto limits() {
  constexpr std::int64_t kib = 1 << 10;
  auto s = object<http_limits_config>();
  s->add("connections", &http_limits_config::connections, whole(1),
         "At the same time. At the limit the longest waiting one without a request makes room, else 503.")
      .add("connections_per_address", &http_limits_config::connections_per_address, whole(1), "Of one client.")
      .add("header", &http_limits_config::header, byte_count(kib, kib * kib), "Request line and headers; larger: 431.")
      .add("image", &http_limits_config::image, byte_count(1), "Body of `POST /v1/detect`; larger: 413.")
      .add("json", &http_limits_config::json, byte_count(1), "Bodies that are JSON; larger: 413.")
      .add("upload", &http_limits_config::upload, byte_count(1),
           "Body of `POST /v1/jobs`, which is not kept in memory; larger: 413.")
      .add("buffered", &http_limits_config::buffered, byte_count(1), "All bodies in memory together; more: 503.")
      .add("pixels", &http_limits_config::pixels, pixel_count(1),
           "Width × height that a picture's header states; more, or more than `media.max_pixels`: 422, before anything "
           "is "
           "decoded.");
  return s;
}

auto timeouts() {
  const auto ms = [] { return time_span(milliseconds{1}); };
  auto s = object<http_timeouts_config>();
  s->add("header", &http_timeouts_config::header, ms(),
         "From a request's first byte, or the connection's start, to its last header.")
      .add("idle", &http_timeouts_config::idle, ms(), "Between requests of one connection.")
      .add("body", &http_timeouts_config::body, ms(), "Until a body's end, prolonged by what came at `body_rate`.")
      .add("body_rate", &http_timeouts_config::body_rate, byte_count(1), "Bytes a second; slower bodies end with 408.")
      .add("write", &http_timeouts_config::write, ms(), "Until a client has taken a piece (256 KiB) of its answer.");
  return s;
}

auto admission() {
  const auto ms = [] { return time_span(milliseconds{1}); };
  auto s = object<http_admission_config>();
  s->add("in_flight", &http_admission_config::in_flight, whole(1), "Pictures under way at the same time.")
      .add("max_wait", &http_admission_config::max_wait, ms(),
           "Longest predicted wait that is let in, whatever the request's deadline: the latency of those let in.")
      .add("deadline", &http_admission_config::deadline, ms(), "Of requests that state none.")
      .add("max_deadline", &http_admission_config::max_deadline, ms(), "Larger ones are cut to this.");
  return s;
}

} // namespace

shape_of<http_config> http_shape() {
  auto rates = object<http_rates_config>();
  rates->add("per_token", &http_rates_config::per_token, rate(), "Requests with one token.")
      .add("per_address", &http_rates_config::per_address, rate(),
           "Requests from one address; IPv6 clients share one for each /64.");
  auto open = object<http_open_config>();
  open->add("health", &http_open_config::health, boolean(), "`/healthz` and `/readyz`.")
      .add("metrics", &http_open_config::metrics, boolean(), "`/metrics`.");
  auto events = object<http_events_config>();
  events
      ->add("queue", &http_events_config::queue, whole(1),
            "Events kept for one slow reader; the oldest are lost first.")
      .add("readers", &http_events_config::readers, whole(1), "At the same time, WebSockets included; more: 503.")
      .add("keep_alive", &http_events_config::keep_alive, time_span(milliseconds{1}),
           "A sign of life where there are no events.");
  auto preview = object<http_preview_config>();
  preview->add("fps", &http_preview_config::fps, number(0.001, 1000), "Most pictures a second for one viewer.")
      .add("viewers", &http_preview_config::viewers, whole(1), "At the same time; more: 503.");
  auto s = object<http_config>();
  s->add("tokens", &http_config::tokens, list_of<http_token_config>(token()),
         "Who may come in. None: everybody who reaches the door may do everything; then it opens on loopback only, "
         "unless `security.insecure` says otherwise.")
      .add("open", &http_config::open, open, "What needs no token; otherwise it needs the scope `admin`.")
      .add("console", &http_config::console, boolean(),
           "The page at `/`. The page itself needs no token, its data does.")
      .add("cors", &http_config::cors, list_of<std::string>(origin()),
           "Other sites whose pages may ask, as `https://HOST[:PORT]`; `\"*\"`: all.")
      .add("rate", &http_config::rate, rates, "How often one client may ask; more: 429.")
      .add("tls", &http_config::tls, tls(), "Encryption at the door.")
      .add("limits", &http_config::limits, limits(), "Sizes and counts.")
      .add("timeouts", &http_config::timeouts, timeouts(), "How slow a client may be.")
      .add("admission", &http_config::admission, admission(),
           "When `POST /v1/detect` is refused with 503 rather than queued.")
      .add("events", &http_config::events, events, "Readers of `/v1/events`.")
      .add("preview", &http_config::preview, preview, "Moving pictures of streams.");
  return s;
}

} // namespace penstock::topology
