#include "front/streams_door.hpp"

#include <fmt/format.h>

#include <mutex>
#include <optional>
#include <utility>

#include "actors/preview_screen.hpp"
#include "front/views.hpp"

namespace penstock::front {

namespace {

/// Pictures for one viewer.
class pictures final : public gateway::byte_source {
 public:
  explicit pictures(std::shared_ptr<actors::preview_viewer> viewer) : viewer_{std::move(viewer)} {}

  void next(gateway::completion<std::string> done) override {
    viewer_->next([done = std::move(done)](const core::expected<actors::jpeg_ptr>& jpeg) {
      done(jpeg ? **jpeg : std::string{}); // the stream's end is the preview's
    });
  }

 private:
  std::shared_ptr<actors::preview_viewer> viewer_;
};

/// Somebody who waits for one picture, and stays until it is there or nobody waits for it.
class snapshot_wait : public std::enable_shared_from_this<snapshot_wait> {
 public:
  snapshot_wait(std::shared_ptr<actors::preview_viewer> viewer, gateway::completion<std::string> done)
      : viewer_{std::move(viewer)}, done_{std::move(done)} {}

  void begin(const std::stop_token& gone) {
    const auto viewer = viewer_;
    viewer->next([self = shared_from_this()](const core::expected<actors::jpeg_ptr>& jpeg) {
      self->leave();
      if (jpeg)
        self->done_(**jpeg);
      else
        self->done_(tl::unexpected{jpeg.error()});
    });
    gone_.emplace(gone, leaver{weak_from_this()});
  }

 private:
  struct leaver {
    std::weak_ptr<snapshot_wait> who;
    void operator()() const {
      const auto self = who.lock();
      if (!self) return;
      self->leave();
      self->done_(core::fail(core::errc::cancelled, "nobody waits for it any more"));
    }
  };

  void leave() {
    std::shared_ptr<actors::preview_viewer> viewer; // goes behind the lock, and with it what it waits for
    const std::lock_guard lock{mutex_};
    viewer = std::exchange(viewer_, nullptr);
  }

  std::mutex mutex_;
  std::shared_ptr<actors::preview_viewer> viewer_;
  gateway::completion<std::string> done_;
  std::optional<std::stop_callback<leaver>> gone_;
};

} // namespace

void streams_door::list(std::stop_token, gateway::completion<std::vector<gateway::stream_view>> done) {
  std::vector<gateway::stream_view> views;
  for (const auto& stream : node_.report().streams)
    if (!stream.job) views.push_back(view_of(stream));
  done(std::move(views));
}

core::expected<topology::stream_source> streams_door::source_of(const gateway::stream_request& request) const {
  topology::stream_config config;
  config.id = request.id;
  config.uri = request.uri;
  if (request.policy == "live") config.policy = topology::stream_policy::live;
  if (request.policy == "lossless") config.policy = topology::stream_policy::lossless;
  if (topology::classify(request.uri) == topology::source_kind::pushed)
    return core::fail(core::errc::invalid_argument,
                      "push:// streams come through `ingest`; its producer opens them by itself");
  auto expanded = topology::expand_stream(config, topology_.stages);
  if (!expanded) {
    auto why = expanded.error();
    why.code = core::errc::invalid_argument; // what is not found is not this path
    return tl::unexpected{std::move(why)};
  }
  if (expanded->size() != 1)
    return core::fail(core::errc::invalid_argument,
                      fmt::format("the uri stands for {} streams; one is added at a time", expanded->size()));
  expanded->front().id = request.id;
  return std::move(expanded->front());
}

void streams_door::add(gateway::stream_request request, gateway::completion<gateway::stream_added> done) {
  const bool taken = helpers_.run([this, request = std::move(request), done] {
    auto source = source_of(request);
    if (!source) return done(tl::unexpected{source.error()});
    actors::stream_report report;
    report.id = source->id;
    report.uri = topology::display_uri(source->uri);
    report.lossless = source->policy == topology::stream_policy::lossless;
    report.phase = actors::stream_phase::opening;
    report.guest = true;
    node_.add_guest({std::move(*source), nullptr, [done, view = view_of(report)](const core::expected<void>& added) {
                       if (added) return done(gateway::stream_added{view, false});
                       if (added.error().code == core::errc::invalid_argument)
                         return done(gateway::stream_added{{}, true});
                       done(tl::unexpected{added.error()});
                     }});
  });
  if (!taken) done(core::fail(core::errc::unavailable, "too many streams are being added"));
}

void streams_door::remove(const std::string& id, gateway::completion<gateway::change> done) {
  node_.remove_guest({id, false, [done = std::move(done)](actors::guest_left left) {
                        switch (left) {
                        case actors::guest_left::leaving: return done(gateway::change::done);
                        case actors::guest_left::unknown: return done(gateway::change::no_such);
                        case actors::guest_left::no_guest: return done(gateway::change::not_now);
                        }
                      }});
}

void streams_door::snapshot(const std::string& id, std::stop_token gone, gateway::completion<std::string> done) {
  node_.watch({id, [gone = std::move(gone),
                    done = std::move(done)](core::expected<std::shared_ptr<actors::preview_viewer>> viewer) {
                 if (!viewer) return done(tl::unexpected{viewer.error()});
                 std::make_shared<snapshot_wait>(std::move(*viewer), done)->begin(gone);
               }});
}

void streams_door::preview(const std::string& id, std::stop_token,
                           gateway::completion<std::shared_ptr<gateway::byte_source>> done) {
  node_.watch({id, [done = std::move(done)](core::expected<std::shared_ptr<actors::preview_viewer>> viewer) {
                 if (!viewer) return done(tl::unexpected{viewer.error()});
                 done(std::make_shared<pictures>(std::move(*viewer)));
               }});
}

} // namespace penstock::front
