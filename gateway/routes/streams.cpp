#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/http/text.hpp"
#include "gateway/routes/context.hpp"
#include "gateway/routes/json.hpp"
#include "gateway/routes/places.hpp"

namespace penstock::gateway::routes {

namespace {

/// A viewer's pictures as parts of a multipart body.
class motion_jpeg final : public byte_source {
 public:
  motion_jpeg(std::shared_ptr<byte_source> pictures, std::shared_ptr<void> place)
      : pictures_{std::move(pictures)}, place_{std::move(place)} {}

  void next(completion<std::string> done) override {
    pictures_->next([done = std::move(done)](core::expected<std::string> picture) {
      if (!picture || picture->empty()) return done(std::move(picture));
      done(fmt::format("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture->size()) +
           *picture + "\r\n");
    });
  }

 private:
  std::shared_ptr<byte_source> pictures_;
  std::shared_ptr<void> place_;
};

class streams_routes {
 public:
  explicit streams_routes(const context& with)
      : with_{with}, streams_{*with.behind.streams}, viewers_{std::make_shared<places>(
                                                         with.how.preview.viewers,
                                                         with.counts.series.preview_viewers)} {}

  void list(const http::responder_ptr& client) const {
    streams_.list(client->gone(), [client](const core::expected<std::vector<stream_view>>& all) {
      if (!all) return client->reply(all.error());
      auto list = nlohmann::ordered_json::array();
      for (const auto& s : *all) list.push_back(to_json(s));
      client->reply(reply_with(200, {{"streams", std::move(list)}}, client->asked()));
    });
  }

  void add(const http::responder_ptr& client) const {
    const auto body = nlohmann::json::parse(client->take_body(), nullptr, false);
    stream_request request;
    const auto take = [&](const char* key, std::string& to) {
      if (!body.contains(key)) return true;
      if (!body[key].is_string()) return false;
      to = body[key];
      return true;
    };
    if (!body.is_object() || !take("id", request.id) || !take("uri", request.uri) || !take("policy", request.policy)) {
      return client->reply(
          http::refusal(400, "invalid_argument",
                        R"(the body must be {"id": "…", "uri": "…", "policy": "live"}; the policy may be left out)"));
    }
    if (!http::is_plain_name(request.id)) {
      return client->reply(http::refusal(400, "invalid_argument", "id: 1 to 128 of A-Z a-z 0-9 . _ -"));
    }
    if (request.uri.empty() || request.uri.size() > 2048) {
      return client->reply(http::refusal(400, "invalid_argument", "uri: 1 to 2048 characters"));
    }
    if (!request.policy.empty() && request.policy != "live" && request.policy != "lossless") {
      return client->reply(http::refusal(400, "invalid_argument", "policy: live or lossless"));
    }
    streams_.add(std::move(request), [client](const core::expected<stream_added>& added) {
      if (!added) return client->reply(added.error());
      if (added->exists) return client->reply(http::refusal(409, "conflict", "there is a stream of that id"));
      auto r = reply_with(201, to_json(added->stream), client->asked());
      r.headers.emplace_back("Location", "/v1/streams/" + added->stream.id);
      client->reply(std::move(r));
    });
  }

  void remove(const http::responder_ptr& client) const {
    streams_.remove(id_of(client), [client](const core::expected<change>& done) {
      if (!done) return client->reply(done.error());
      if (*done == change::no_such) return client->reply(http::refusal(404, "not_found", "there is no such stream"));
      if (*done == change::not_now) {
        return client->reply(http::refusal(
            409, "conflict", "the topology file names this stream; only those that were added can be removed"));
      }
      client->reply(http::response{204, {}, {}, {}});
    });
  }

  void snapshot(const http::responder_ptr& client) const {
    streams_.snapshot(id_of(client), client->gone(), [client](core::expected<std::string> picture) {
      if (!picture) return client->reply(picture.error());
      client->reply(http::response{200, "image/jpeg", std::move(*picture), {}});
    });
  }

  void preview(const http::responder_ptr& client) const {
    auto place = viewers_->take();
    if (!place) {
      with_.counts.refused(barred::readers);
      auto r = http::refusal(503, to_string(barred::readers), "there are too many viewers");
      r.headers.emplace_back("Retry-After", "10");
      return client->reply(std::move(r));
    }
    const core::seconds spacing{1 / with_.how.preview.fps};
    streams_.preview(id_of(client), client->gone(),
                     [client, place, spacing](core::expected<std::shared_ptr<byte_source>> pictures) {
                       if (!pictures) return client->reply(pictures.error());
                       http::streamed s;
                       s.head.content_type = "multipart/x-mixed-replace; boundary=frame";
                       s.pieces = std::make_shared<motion_jpeg>(std::move(*pictures), place);
                       s.spacing = std::chrono::duration_cast<std::chrono::microseconds>(spacing);
                       client->reply(std::move(s));
                     });
  }

 private:
  static const std::string& id_of(const http::responder_ptr& client) { return client->asked().parameters.at("id"); }

  const context with_;
  streams_api& streams_;
  std::shared_ptr<places> viewers_;
};

} // namespace

void add_streams(table& to, const context& with) {
  const std::shared_ptr<streams_routes> routes =
      with.behind.streams == nullptr ? nullptr : std::make_shared<streams_routes>(with);
  using handler = void (streams_routes::*)(const http::responder_ptr&) const;
  const auto add = [&](const char* method, const char* pattern, handler call, const char* operation,
                       const char* summary) -> http::route& {
    http::route r{.method = method, .pattern = pattern, .needs = scope::streams};
    r.operation = operation;
    r.summary = summary;
    if (routes)
      r.handle = [routes, call](const http::responder_ptr& client) { (*routes.*call)(client); };
    else
      r.lacks = "this node has no streams: its topology has no role with the stage `source`";
    return to.emplace_back(std::move(r));
  };
  const http::reply_doc no_such{404, "there is no such stream", {"application/json"}, "Error"};
  const std::vector<std::string> documents{"application/json", "application/msgpack"};

  add("GET", "/v1/streams", &streams_routes::list, "listStreams", "All streams with their ledger").replies = {
      {200, "the streams", documents, "StreamList"}};

  auto& create = add("POST", "/v1/streams", &streams_routes::add, "addStream", "Adds a stream while the program runs");
  create.body = http::body_rule::whole;
  create.body_bytes = with.how.limits.json_bytes;
  create.body_types = {"application/json"};
  create.body_schema = "NewStream";
  create.replies = {{201, "it is being opened", documents, "Stream"},
                    {409, "there is a stream of that id", {"application/json"}, "Error"}};

  add("DELETE", "/v1/streams/{id}", &streams_routes::remove, "removeStream",
      "Ends a stream that was added; its ledger stays")
      .replies = {
      {204, "it ends", {}, ""}, no_such, {409, "the topology file names it", {"application/json"}, "Error"}};

  add("GET", "/v1/streams/{id}/snapshot.jpg", &streams_routes::snapshot, "getSnapshot", "The last frame with its boxes")
      .replies = {
      {200, "the picture", {"image/jpeg"}, ""}, no_such, {503, "there is no frame yet", {"application/json"}, "Error"}};

  add("GET", "/v1/streams/{id}/preview.mjpeg", &streams_routes::preview, "getPreview",
      "Frames with their boxes as they come, at most `preview.fps` a second; made only while somebody watches")
      .replies = {{200, "pictures", {"multipart/x-mixed-replace"}, ""},
                  no_such,
                  {503, "too many viewers", {"application/json"}, "Error"}};
}

} // namespace penstock::gateway::routes
