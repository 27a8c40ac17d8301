#include "front/jobs/jobs_door.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <span>
#include <utility>

#include "front/jobs/job_note.hpp"
#include "front/jobs/job_view.hpp"
#include "jobs/blobs.hpp"
#include "jobs/ids.hpp"

namespace penstock::front {

using core::errc;
using gateway::change;
using gateway::completion;

struct jobs_door::shared {
  shared(std::shared_ptr<jobs::job_queue> of, std::shared_ptr<job_board> with, const metrics::job_series& counts,
         const jobs_door_options& options)
      : queue{std::move(of)}, board{std::move(with)}, series{counts}, pool{options.threads, options.most_waiting} {}

  /// Answers with what `work` gives, on a thread of the pool.
  template <class T, class Work>
  void answer(const completion<T>& done, std::stop_token gone, Work work) {
    const bool taken = pool.post([done, gone = std::move(gone), work = std::move(work)](bool go) mutable {
      if (!go) return done(core::fail(errc::unavailable, "the program stops"));
      if (gone.stop_requested()) return done(core::fail(errc::cancelled, "the client has gone"));
      done(work());
    });
    if (!taken) done(core::fail(errc::unavailable, "too many requests wait for the store of jobs"));
  }

  core::expected<gateway::job_created> put(const jobs::job_request& request) {
    auto answer = queue->put(request);
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->created) {
      series.accepted.add();
      board->tell(answer->record.id, job_news::waits);
    }
    return gateway::job_created{view_of(answer->record), !answer->created};
  }

  const std::shared_ptr<jobs::job_queue> queue;
  const std::shared_ptr<job_board> board;
  const metrics::job_series series;
  task_pool pool;
};

namespace {

/// Of the owner and the key; the length in front keeps one pair from being another.
std::string key_of(const gateway::job_request& request) {
  if (request.idempotency_key.empty()) return {};
  return fmt::format("{}:{}{}", request.owner.size(), request.owner, request.idempotency_key);
}

tl::unexpected<core::error> no_such(const std::string& id) {
  return core::fail(errc::not_found, "there is no job " + id);
}

core::expected<std::string> first_bytes(jobs::blobs& store, const std::string& name) {
  constexpr std::size_t enough = 64;
  auto from = store.open(name, 0, enough);
  if (!from) return tl::unexpected{from.error()};
  std::string out(enough, '\0');
  const auto n = (*from)->read(std::as_writable_bytes(std::span{out}));
  if (!n) return tl::unexpected{n.error()};
  out.resize(*n);
  return out;
}

/// A job for a file that lies in the store.
core::expected<jobs::job_request> request_of(const gateway::job_request& asked, jobs::blobs& store) {
  if (!asked.uri.starts_with(blob_scheme))
    return core::fail(
        errc::invalid_argument,
        fmt::format("uri: found '{}'; allowed: {}NAME, a file in the store of jobs.blobs", asked.uri, blob_scheme));
  jobs::job_request out;
  out.input_blob = asked.uri.substr(blob_scheme.size());
  if (!jobs::is_blob_name(out.input_blob) || jobs::is_job_id(jobs::job_of_blob(out.input_blob)))
    return core::fail(errc::invalid_argument, fmt::format("uri: '{}' is no name of a file in the store of jobs.blobs "
                                                          "that a job may be made of",
                                                          out.input_blob));
  const auto there = store.stat(out.input_blob);
  if (!there) return tl::unexpected{there.error()};
  if (!*there) return core::fail(errc::not_found, asked.uri + ": there is no such file in the store of jobs.blobs");
  const auto begin = first_bytes(store, out.input_blob);
  if (!begin) return tl::unexpected{begin.error()};
  out.content_type = picture_type(*begin);
  out.kind = out.content_type.empty() ? jobs::job_kind::video : jobs::job_kind::image;
  out.input_bytes = (*there)->bytes;
  out.name = asked.name;
  out.idempotency_key = key_of(asked);
  return out;
}

} // namespace

/// An input on its way into the store, under the id that its job will have.
class jobs_door::upload final : public gateway::job_upload, public std::enable_shared_from_this<upload> {
 public:
  upload(std::shared_ptr<shared> with, const gateway::job_request& asked, std::stop_token gone)
      : with_{std::move(with)}, gone_{std::move(gone)} {
    request_.id = with_->queue->new_id();
    request_.input_blob = jobs::input_name(request_.id);
    request_.kind = asked.content_type.starts_with("image/") ? jobs::job_kind::image : jobs::job_kind::video;
    request_.name = asked.name;
    request_.content_type = asked.content_type;
    request_.idempotency_key = key_of(asked);
  }

  /// Blocks.
  core::expected<void> begin() {
    auto made = with_->queue->blobs().create(request_.input_blob);
    if (!made) return tl::unexpected{made.error()};
    writer_ = std::move(*made);
    return {};
  }

  void write(std::string piece, completion<std::monostate> done) override {
    with_->answer(done, gone_, [self = shared_from_this(), piece = std::move(piece)] { return self->store(piece); });
  }

  void commit(completion<gateway::job_created> done) override {
    // Whoever has sent all of it gets a job, even if nobody waits for the answer any more.
    with_->answer(done, {}, [self = shared_from_this()] { return self->accept(); });
  }

 private:
  core::expected<std::monostate> store(const std::string& piece) {
    if (!writer_) return core::fail(errc::io, "the upload has failed before");
    if (auto written = writer_->write(std::as_bytes(std::span{piece})); !written) {
      writer_.reset();
      return tl::unexpected{written.error()};
    }
    request_.input_bytes += piece.size();
    return std::monostate{};
  }

  core::expected<gateway::job_created> accept() {
    const auto writer = std::move(writer_);
    if (!writer) return core::fail(errc::io, "the upload has failed before");
    if (auto made = writer->publish(); !made) return tl::unexpected{made.error()};
    auto made = with_->put(request_);
    // Another request with the same key was faster: its input counts.
    if (made && made->job.id != request_.id) {
      if (const auto removed = with_->queue->blobs().remove(request_.input_blob); !removed)
        spdlog::warn("{}: {}; it goes when it is old", request_.input_blob, removed.error().message);
    }
    return made;
  }

  const std::shared_ptr<shared> with_;
  const std::stop_token gone_;
  jobs::job_request request_;
  std::unique_ptr<jobs::blob_writer> writer_;
};

jobs_door::jobs_door(std::shared_ptr<jobs::job_queue> queue, std::shared_ptr<job_board> board,
                     metrics::registry& metrics, jobs_door_options options)
    : shared_{std::make_shared<shared>(queue, board, metrics.jobs(), options)}, desk_{std::make_unique<result_desk>(
                                                                                    std::move(queue), std::move(board),
                                                                                    shared_->pool, options.results)} {}

jobs_door::~jobs_door() { stop(); }

void jobs_door::stop() {
  desk_->stop();
  shared_->pool.stop();
}

void jobs_door::open(gateway::job_request request, std::stop_token gone,
                     completion<std::variant<std::shared_ptr<gateway::job_upload>, gateway::job_view>> done) {
  using opened = std::variant<std::shared_ptr<gateway::job_upload>, gateway::job_view>;
  shared_->answer(done, gone, [with = shared_, request = std::move(request), gone]() -> core::expected<opened> {
    if (const auto key = key_of(request); !key.empty()) {
      auto known = with->queue->find(key);
      if (!known) return tl::unexpected{known.error()};
      if (*known) return opened{view_of(**known)};
    }
    auto made = std::make_shared<upload>(with, request, gone);
    if (auto begun = made->begin(); !begun) return tl::unexpected{begun.error()};
    return opened{std::shared_ptr<gateway::job_upload>{std::move(made)}};
  });
}

void jobs_door::submit(gateway::job_request request, std::stop_token gone, completion<gateway::job_created> done) {
  shared_->answer(done, std::move(gone),
                  [with = shared_, request = std::move(request)]() -> core::expected<gateway::job_created> {
                    // A repetition may come when the file is gone.
                    if (const auto key = key_of(request); !key.empty()) {
                      auto known = with->queue->find(key);
                      if (!known) return tl::unexpected{known.error()};
                      if (*known) return gateway::job_created{view_of(**known), true};
                    }
                    const auto asked = request_of(request, with->queue->blobs());
                    if (!asked) return tl::unexpected{asked.error()};
                    return with->put(*asked);
                  });
}

void jobs_door::get(const std::string& id, std::stop_token gone, completion<gateway::job_view> done) {
  shared_->answer(done, std::move(gone), [with = shared_, id]() -> core::expected<gateway::job_view> {
    const auto found = with->queue->get(id);
    if (!found) return tl::unexpected{found.error()};
    if (!*found) return no_such(id);
    return view_of(**found);
  });
}

void jobs_door::list(gateway::job_filter filter, std::stop_token gone, completion<gateway::job_page> done) {
  shared_->answer(done, std::move(gone),
                  [with = shared_, filter = std::move(filter)]() -> core::expected<gateway::job_page> {
                    gateway::job_page out;
                    std::optional<jobs::job_state> state;
                    if (filter.state) {
                      state = jobs::parse_job_state(gateway::to_string(*filter.state));
                      if (!state) return out; // a failed attempt leaves a job queued or dead
                    }
                    out.next = filter.after;
                    // A look at the ledger is bounded; few of the jobs that it passes over may be in this state.
                    constexpr int most_looks = 8;
                    for (int i = 0; i < most_looks && out.jobs.size() < filter.limit; ++i) {
                      auto page = with->queue->newest(state, out.next, filter.limit - out.jobs.size());
                      if (!page) return tl::unexpected{page.error()};
                      for (const auto& each : page->jobs) out.jobs.push_back(view_of(each));
                      out.next = page->next.value_or("");
                      if (out.next.empty()) break;
                    }
                    return out;
                  });
}

void jobs_door::cancel(const std::string& id, completion<change> done) {
  shared_->answer(done, {}, [with = shared_, id]() -> core::expected<change> {
    const auto after = with->queue->cancel(id);
    if (!after) return tl::unexpected{after.error()};
    if (!*after) return change::no_such;
    if ((*after)->state != jobs::job_state::cancelled) return change::not_now;
    with->board->tell(id, job_news::cancelled);
    return change::done;
  });
}

void jobs_door::requeue(const std::string& id, completion<change> done) {
  shared_->answer(done, {}, [with = shared_, id]() -> core::expected<change> {
    const auto before = with->queue->get(id);
    if (!before) return tl::unexpected{before.error()};
    if (!*before) return change::no_such;
    if ((*before)->state != jobs::job_state::dead) return change::not_now;
    const auto after = with->queue->requeue(id);
    if (!after) return tl::unexpected{after.error()};
    if (!*after) return change::no_such;
    with->board->tell(id, job_news::waits);
    return change::done;
  });
}

void jobs_door::results(const std::string& id, std::stop_token gone,
                        completion<std::shared_ptr<gateway::byte_source>> done) {
  using source = std::shared_ptr<gateway::byte_source>;
  shared_->answer(done, std::move(gone), [with = shared_, desk = desk_.get(), id]() -> core::expected<source> {
    const auto found = with->queue->get(id);
    if (!found) return tl::unexpected{found.error()};
    if (!*found) return no_such(id);
    const auto& record = **found;
    if (record.state == jobs::job_state::cancelled)
      return core::fail(errc::not_found, "job " + id + " was cancelled; it has no results");
    if (record.state == jobs::job_state::dead) {
      const auto note = parse_job_note(record.checkpoint);
      if (!note || parts_in(*note) == 0)
        return core::fail(errc::not_found, "job " + id + " is dead and has no results: " + record.error);
    }
    return desk->read(record);
  });
}

jobs::job_rules rules_of(const topology::jobs_config& config) {
  jobs::job_rules out;
  out.max_attempts = static_cast<std::uint32_t>(config.max_attempts);
  return out;
}

job_runner_options runner_options_of(const topology::jobs_config& config) {
  job_runner_options out;
  out.concurrent = config.concurrent;
  out.spool = config.spool;
  out.spool_bytes = static_cast<std::uint64_t>(config.spool_bytes);
  return out;
}

} // namespace penstock::front
