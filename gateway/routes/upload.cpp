#include "gateway/routes/upload.hpp"

#include <mutex>

#include "gateway/http/sniff.hpp"
#include "gateway/routes/json.hpp"

namespace penstock::gateway::routes {

namespace {

using written = completion<std::monostate>;

/// Between the connection and the job's sink. `write` and `finish` are called on the gateway's thread, one at a time;
/// completions of the sink come on any.
class upload final : public byte_sink, public std::enable_shared_from_this<upload> {
 public:
  upload(const context& with, http::responder_ptr client, job_request request)
      : with_{with}, client_{std::move(client)}, request_{std::move(request)} {}

  void write(std::string piece, written done) override {
    if (sink_) return sink_->write(std::move(piece), std::move(done));
    begin_ += piece;
    if (begin_.size() < http::sniffed_bytes) return done(std::monostate{});
    open([self = shared_from_this(), done](const core::expected<void>& ok) {
      if (ok)
        self->sink_->write(std::exchange(self->begin_, {}), done);
      else
        done(tl::unexpected{ok.error()});
    });
  }

  /// All of it has come.
  void finish() {
    if (sink_) return commit();
    if (begin_.empty()) {
      return client_->reply(
          http::refusal(400, "invalid_argument", "the body is empty; it must be a video or a picture"));
    }
    open([self = shared_from_this()](const core::expected<void>& ok) {
      if (!ok) return self->client_->reply(ok.error());
      self->sink_->write(std::exchange(self->begin_, {}), [self](const core::expected<std::monostate>& all) {
        if (all)
          self->commit();
        else
          self->client_->reply(all.error());
      });
    });
  }

 private:
  void open(std::function<void(core::expected<void>)> then) {
    const auto kind = http::sniff(begin_);
    if (kind == http::media_kind::unknown) {
      with_.counts.refused(barred::media_type);
      return then(core::fail(core::errc::unsupported, "the body is no JPEG, PNG, WebP, MP4, MPEG-TS or Matroska file"));
    }
    if (http::is_picture(kind)) {
      const auto size = http::size_of_picture(begin_, kind);
      // What the first bytes do not tell is seen by the decoder, which has a limit of its own.
      if (size && std::uint64_t{size->width_px} * size->height_px > with_.how.limits.picture_pixels) {
        with_.counts.refused(barred::picture);
        client_->reply(http::refusal(422, to_string(barred::picture), "the picture has too many pixels"));
        return;
      }
    }
    request_.content_type = std::string{http::content_type(kind)};
    with_.behind.jobs->open(
        request_, client_->gone(),
        [self = shared_from_this(), then](core::expected<std::variant<std::shared_ptr<job_upload>, job_view>> opened) {
          if (!opened) return then(tl::unexpected{opened.error()});
          if (auto* job = std::get_if<job_view>(&*opened)) {
            self->client_->reply(reply_with_job({std::move(*job), true}, self->client_->asked()));
            return; // answered: nothing more of the body is read
          }
          self->sink_ = std::get<std::shared_ptr<job_upload>>(*opened);
          then({});
        });
  }

  void commit() {
    sink_->commit([client = client_, sink = sink_](const core::expected<job_created>& made) {
      if (made)
        client->reply(reply_with_job(*made, client->asked()));
      else
        client->reply(made.error());
    });
    sink_.reset();
  }

  const context with_;
  http::responder_ptr client_;
  job_request request_;
  std::string begin_; ///< until it is known what it is
  std::shared_ptr<job_upload> sink_;
};

} // namespace

http::response reply_with_job(const job_created& made, const http::request& asked) {
  auto r = reply_with(made.repeated ? 200 : 202, to_json(made.job), asked);
  r.headers.emplace_back("Location", "/v1/jobs/" + made.job.id);
  return r;
}

void receive_upload(const context& with, const http::responder_ptr& client, job_request request) {
  const auto to = std::make_shared<upload>(with, client, std::move(request));
  client->receive({to, [to] { to->finish(); }});
}

} // namespace penstock::gateway::routes
