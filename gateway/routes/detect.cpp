#include <algorithm>
#include <atomic>
#include <cmath>
#include <fmt/format.h>
#include <mutex>

#include "gateway/http/multipart.hpp"
#include "gateway/http/sniff.hpp"
#include "gateway/http/text.hpp"
#include "gateway/policy/admission.hpp"
#include "gateway/routes/context.hpp"
#include "gateway/routes/json.hpp"

namespace penstock::gateway::routes {

namespace {

using std::chrono::milliseconds;

/// What all requests share: who is let in is decided here, and completions come on other threads.
class gate {
 public:
  explicit gate(const admission_options& how) : policy_{how} {}

  policy::admission::verdict enter(core::seconds deadline) {
    const std::lock_guard lock{mutex_};
    return policy_.enter(core::clock::now(), deadline);
  }
  /// Whether it would be let in.
  policy::admission::verdict ask(core::seconds deadline) {
    const std::lock_guard lock{mutex_};
    auto copy = policy_;
    return copy.enter(core::clock::now(), deadline);
  }
  void leave(bool served) {
    const std::lock_guard lock{mutex_};
    policy_.leave(core::clock::now(), served);
  }

 private:
  std::mutex mutex_;
  policy::admission policy_;
};

/// One request that was let in; leaves when its last owner goes.
class admitted {
 public:
  explicit admitted(std::shared_ptr<gate> by) : by_{std::move(by)} {}
  ~admitted() { by_->leave(served); }
  admitted(const admitted&) = delete;
  admitted& operator=(const admitted&) = delete;
  std::atomic<bool> served{false};

 private:
  std::shared_ptr<gate> by_;
};

class detect_route {
 public:
  explicit detect_route(const context& with)
      : how_{with.how}, behind_{with.behind.detect}, counts_{with.counts}, gate_{std::make_shared<gate>(
                                                                               with.how.admission)} {}

  std::optional<http::response> before(const http::request& r) const {
    const auto deadline = deadline_of(r);
    if (!deadline) return http::refusal(deadline.error());
    if (const auto v = gate_->ask(*deadline); !v.admitted) return overload(v);
    return std::nullopt;
  }

  void handle(const http::responder_ptr& client) const {
    const auto& asked = client->asked();
    const auto deadline = deadline_of(asked);
    if (!deadline) return client->reply(deadline.error());
    detect_request request;
    if (auto ok = take_picture(*client, request); !ok) return refuse_picture(*client, ok.error());
    request.annotate = asked.query_flag("annotate");
    request.request_id = asked.id;
    request.deadline = core::clock::now() + *deadline;

    const auto v = gate_->enter(*deadline);
    if (!v.admitted) return client->reply(overload(v));
    const auto let_in = std::make_shared<admitted>(gate_);
    client->expire_at(request.deadline,
                      http::refusal(504, to_string(barred::deadline),
                                    fmt::format("there was no answer within {} ms", deadline->count())));
    const bool annotate = request.annotate;
    behind_->detect(std::move(request), client->gone(),
                    [client, let_in, annotate](const core::expected<detect_reply>& done) {
                      if (!done) return client->reply(done.error());
                      let_in->served = true;
                      if (annotate)
                        client->reply(http::response{200, "image/jpeg", done->annotated_jpeg, {}});
                      else
                        client->reply(reply_with(200, to_json(*done, client->asked().id), client->asked()));
                    });
  }

 private:
  core::expected<milliseconds> deadline_of(const http::request& r) const {
    const auto stated = r.get("Penstock-Deadline-Ms");
    if (stated.empty()) return how_.admission.deadline;
    const auto ms = http::parse_number(stated);
    if (!ms || *ms == 0) {
      return core::fail(core::errc::invalid_argument, "Penstock-Deadline-Ms: not a number of milliseconds above 0");
    }
    const auto most = static_cast<std::uint64_t>(how_.admission.max_deadline.count());
    return milliseconds{static_cast<milliseconds::rep>(std::min(*ms, most))};
  }

  http::response overload(const policy::admission::verdict& v) const {
    counts_.refused(barred::overload);
    const auto seconds = static_cast<long>(std::ceil(std::max(v.retry_after.count(), 0.001)));
    auto r = http::refusal(503, to_string(barred::overload),
                           fmt::format("the wait would be {:.0f} ms; again in {} s", v.wait.count() * 1e3, seconds));
    r.headers.emplace_back("Retry-After", std::to_string(seconds));
    return r;
  }

  void refuse_picture(http::responder& client, const core::error& e) const {
    if (e.code == core::errc::unsupported) {
      counts_.refused(barred::media_type);
      return client.reply(http::refusal(415, to_string(barred::media_type), e.message));
    }
    if (e.code == core::errc::invalid_argument) return client.reply(e);
    counts_.refused(barred::picture);
    client.reply(http::refusal(422, to_string(barred::picture), e.message));
  }

  core::expected<void> take_picture(http::responder& client, detect_request& out) const {
    out.picture = client.take_body();
    if (out.picture.empty()) return core::fail(core::errc::invalid_argument, "the body is empty; it must be a picture");
    const auto type = client.asked().get("Content-Type");
    if (http::same_word(http::media_type(type), "multipart/form-data")) {
      auto parts = http::parse_multipart(out.picture, http::header_parameter(type, "boundary").value_or(""));
      if (!parts) return core::fail(core::errc::invalid_argument, parts.error().message);
      const auto found =
          std::ranges::find_if(*parts, [](const auto& p) { return http::is_picture(http::sniff(p.body)); });
      if (found == parts->end()) return core::fail(core::errc::unsupported, "no part is a JPEG, PNG or WebP picture");
      out.picture = std::string{found->body};
    }
    const auto kind = http::sniff(out.picture);
    if (!http::is_picture(kind)) {
      return core::fail(core::errc::unsupported,
                        "the body is not a JPEG, PNG or WebP picture, whatever Content-Type says");
    }
    const auto size = http::size_of_picture(out.picture, kind);
    if (!size) return tl::unexpected{size.error()};
    const auto pixels = std::uint64_t{size->width_px} * size->height_px;
    if (pixels > how_.limits.picture_pixels) {
      return core::fail(core::errc::too_large,
                        fmt::format("the picture has {} × {} pixels, more than the {} that are allowed", size->width_px,
                                    size->height_px, how_.limits.picture_pixels));
    }
    out.content_type = std::string{http::content_type(kind)};
    out.width_px = size->width_px;
    out.height_px = size->height_px;
    return {};
  }

  const options& how_;
  detect_api* behind_;
  figures& counts_;
  std::shared_ptr<gate> gate_;
};

} // namespace

void add_detect(table& to, const context& with) {
  http::route r{.method = "POST", .pattern = "/v1/detect", .needs = scope::detect, .body = http::body_rule::whole};
  r.body_bytes = with.how.limits.image_bytes;
  r.operation = "detect";
  r.summary = "Finds the objects in a picture";
  r.parameters = {
      {"annotate", "query", R"({"type": "boolean"})", "return the picture with boxes, as a JPEG"},
      {"Penstock-Deadline-Ms", "header", R"({"type": "integer", "minimum": 1})",
       "how long the answer may take; past it 504, and the work is dropped"},
  };
  r.body_types = {"image/jpeg", "image/png", "image/webp", "multipart/form-data"};
  r.replies = {{200,
                "the objects, or the picture with boxes",
                {"application/json", "application/msgpack", "image/jpeg"},
                "Detections"},
               {413, "the body is too large", {"application/json"}, "Error"},
               {415, "not a picture that can be read", {"application/json"}, "Error"},
               {422, "the picture has too many pixels, or cannot be decoded", {"application/json"}, "Error"},
               {503, "too busy; Retry-After says when to come again", {"application/json"}, "Error"},
               {504, "not within the deadline", {"application/json"}, "Error"}};
  if (with.behind.detect == nullptr) {
    r.lacks = "this node answers no pictures: its topology has no role that takes requests for pictures";
  } else {
    const auto route = std::make_shared<detect_route>(with);
    r.before = [route](const http::request& asked) { return route->before(asked); };
    r.handle = [route](const http::responder_ptr& client) { route->handle(client); };
  }
  to.push_back(std::move(r));
}

} // namespace penstock::gateway::routes
