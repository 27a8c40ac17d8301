#include <fmt/format.h>

#include "gateway/event_hub.hpp"
#include "gateway/http/text.hpp"
#include "gateway/http/websocket.hpp"
#include "gateway/policy/event_queue.hpp"
#include "gateway/routes/context.hpp"
#include "gateway/routes/places.hpp"

namespace penstock::gateway::routes {

namespace {

constexpr std::size_t events_at_once = 64;
constexpr std::size_t most_filter_words = 64;

/// Without what would end a line of an event stream.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c != '\n' && c != '\r') out.push_back(c);
  }
  return out;
}

/// A reader's events as text for an event stream, or as frames for a WebSocket.
class event_source final : public byte_source {
 public:
  event_source(std::shared_ptr<event_hub::reader> from, http::framing how, metrics::counter lost,
               std::shared_ptr<void> place)
      : from_{std::move(from)}, how_{how}, lost_{lost}, place_{std::move(place)} {}

  void next(completion<std::string> done) override {
    if (!greeted_) {
      // At once, so that a client knows that it is heard before the first event.
      greeted_ = true;
      return done(how_ == http::framing::websocket ? in_frame(R"({"event":"hello"})") : ": hello\n\n");
    }
    from_->next(events_at_once, [how = how_, lost = lost_, done = std::move(done)](const event_hub::reader::batch& b) {
      std::string text;
      if (b.lost > 0) {
        lost.add(static_cast<double>(b.lost));
        text += piece(how, "lost", fmt::format(R"({{"lost":{}}})", b.lost));
      }
      for (const auto& e : b.events) text += piece(how, e->kind, one_line(e->json));
      done(std::move(text));
    });
  }

 private:
  static std::string in_frame(const std::string& text) {
    return http::websocket::frame(http::websocket::opcode::text, text);
  }
  static std::string piece(http::framing how, const std::string& kind, const std::string& json) {
    if (how == http::framing::websocket) return in_frame(fmt::format(R"({{"event":"{}","data":{}}})", kind, json));
    return fmt::format("event: {}\ndata: {}\n\n", one_line(kind), json);
  }

  std::shared_ptr<event_hub::reader> from_;
  http::framing how_;
  metrics::counter lost_;
  std::shared_ptr<void> place_;
  bool greeted_ = false;
};

bool is_upgrade(const http::request& r) { return http::same_word(r.get("Upgrade"), "websocket"); }

http::response refuse_upgrade() {
  auto r = http::refusal(426, "websocket", "this WebSocket handshake is not that of version 13");
  r.headers = {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
  return r;
}

void handle(const context& with, const std::shared_ptr<places>& room, const http::responder_ptr& client) {
  const auto& asked = client->asked();
  const policy::event_filter filter{asked.query_list("stream"), asked.query_list("label"), asked.query_list("kind")};
  if (filter.streams.size() + filter.labels.size() + filter.kinds.size() > most_filter_words) {
    return client->reply(http::refusal(400, "invalid_argument", "the filter has too many words"));
  }
  const bool upgrade = is_upgrade(asked);
  if (upgrade && (asked.get("Sec-WebSocket-Version") != "13" ||
                  !http::websocket::is_key(asked.get("Sec-WebSocket-Key")) || asked.method != "GET")) {
    return client->reply(refuse_upgrade());
  }
  auto place = room->take();
  if (!place) {
    with.counts.refused(barred::readers);
    auto r = http::refusal(503, to_string(barred::readers), "there are too many readers of events");
    r.headers.emplace_back("Retry-After", "10");
    return client->reply(std::move(r));
  }
  http::streamed s;
  s.how = upgrade ? http::framing::websocket : http::framing::chunks;
  s.keep_alive = with.how.events.keep_alive;
  s.keep_alive_piece = ": still here\n\n";
  if (upgrade) {
    s.head.status = 101;
    s.head.headers = {{"Upgrade", "websocket"},
                      {"Connection", "Upgrade"},
                      {"Sec-WebSocket-Accept", http::websocket::accept_key(asked.get("Sec-WebSocket-Key"))}};
  } else {
    s.head.content_type = "text/event-stream";
    s.head.headers = {{"X-Accel-Buffering", "no"}};
  }
  s.pieces = std::make_shared<event_source>(with.behind.events->subscribe(filter, with.how.events.queue), s.how,
                                            with.counts.series.lost_events, std::move(place));
  client->reply(std::move(s));
}

} // namespace

void add_events(table& to, const context& with) {
  http::route r{.method = "GET", .pattern = "/v1/events", .needs = scope::streams};
  r.operation = "readEvents";
  r.summary = "Results and what happens to streams, workers and jobs, as Server-Sent Events or over a WebSocket";
  const std::string words = R"({"type": "array", "items": {"type": "string"}})";
  r.parameters = {{"stream", "query", words, "only of these streams; several times, or with commas"},
                  {"label", "query", words, "only results with such an object"},
                  {"kind", "query", words, "only these: result, stream, worker, job"}};
  r.replies = {
      {101, "a WebSocket: text frames {\"event\", \"data\"}", {}, ""},
      {200, "an event `lost` with {\"lost\": N} says how many a slow reader missed", {"text/event-stream"}, ""},
      {503, "too many readers", {"application/json"}, "Error"}};
  if (with.behind.events == nullptr) {
    r.lacks = "this node has no events: its topology has no role that collects results";
  } else {
    const auto room = std::make_shared<places>(with.how.events.readers, with.counts.series.event_readers);
    r.handle = [with, room](const http::responder_ptr& client) { handle(with, room, client); };
  }
  to.push_back(std::move(r));
}

} // namespace penstock::gateway::routes
