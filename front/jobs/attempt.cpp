#include "front/jobs/attempt.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "jobs/blobs.hpp"

namespace penstock::front {

using core::errc;
using jobs::standing;
using retry = jobs::job_queue::retry;

namespace {

constexpr std::size_t most_steps = 256;
constexpr std::size_t piece_bytes = 256UL << 10U;

bool may_pass(const core::error& e) {
  return e.code == errc::unavailable || e.code == errc::timeout || e.code == errc::io;
}

/// Whether a run that failed so fails again however often it is tried.
bool lies_in_the_input(const core::error& e) {
  return e.code == errc::corrupt || e.code == errc::unsupported || e.code == errc::not_found ||
         e.code == errc::too_large;
}

bool lies_in_the_input(core::drop_reason reason) {
  using enum core::drop_reason;
  return reason == corrupt || reason == no_keyframe || reason == too_large || reason == unsupported;
}

/// `corrupt 3, poison 10`: what was dropped though it was wanted.
std::string lost_frames(const job_note& note) {
  std::string out;
  for (const auto reason : core::all_drop_reasons) {
    const auto count = note.dropped[static_cast<std::size_t>(reason)];
    if (reason == core::drop_reason::sampled || count == 0) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", core::to_string(reason), count);
  }
  return out;
}

bool only_by_input(const job_note& note) {
  return std::ranges::all_of(core::all_drop_reasons, [&](core::drop_reason reason) {
    return note.dropped[static_cast<std::size_t>(reason)] == 0 || reason == core::drop_reason::sampled ||
           lies_in_the_input(reason);
  });
}

} // namespace

attempt::attempt(const attempt_context& with, jobs::claim held)
    : with_{with}, held_{std::move(held)}, id_{held_.record.id},
      stream_id_{fmt::format("{}-{}", id_, held_.epoch())}, renew_at_{core::clock::now() + with.options.lease / 3} {}

attempt_end attempt::work() {
  if (auto noted = parse_job_note(held_.record.checkpoint)) {
    note_ = before_ = std::move(*noted);
  } else {
    spdlog::warn("job {}: {}; begun anew", id_, noted.error().message);
  }
  frames_total_ = held_.record.frames.total;
  if (note_.progress.finished) return finish();
  auto uri = fetch_input();
  if (taken_) return *taken_;
  if (!uri) {
    if (uri.error().code == errc::cancelled) return give_back();
    // Where there is no room here, there may be elsewhere.
    const auto& code = uri.error().code;
    return fail(uri.error(),
                code == errc::not_found || code == errc::unsupported ? retry::pointless : retry::worthwhile);
  }
  start(std::move(*uri));
  return follow();
}

void attempt::look() {
  const std::lock_guard lock{mail_->mutex};
  mail_->look = true;
  mail_->changed.notify_all();
}

void attempt::stop(core::time_point deadline) {
  const std::lock_guard lock{mail_->mutex};
  mail_->stop_by = deadline;
  mail_->changed.notify_all();
}

/// Address of the input on this machine.
core::expected<std::string> attempt::fetch_input() {
  const auto& name = held_.record.input_blob;
  if (name.empty())
    return core::fail(errc::unsupported, held_.record.input_uri + ": this is in no store of this pipeline");
  auto& store = with_.queue->blobs();
  if (const auto path = store.local_path(name)) return path->string();
  auto from = retried([&] { return store.open(name); });
  if (!from) return tl::unexpected{from.error()};
  const auto go_on = [this] {
    const std::lock_guard lock{mail_->mutex};
    return !mail_->stop_by;
  };
  while (!spooled_) {
    auto room = with_.files.open((*from)->blob_bytes());
    if (!room) return tl::unexpected{room.error()};
    if (*room) {
      spooled_.emplace(std::move(**room));
      break;
    }
    if (!tend() || !pause(jobs::milliseconds{200})) return core::fail(errc::cancelled, "waiting was called off");
  }
  auto filled = with_.files.fill(*spooled_, **from, [&] { return tend() && go_on(); });
  if (!filled) return tl::unexpected{filled.error()};
  return spooled_->path();
}

void attempt::start(std::string uri) {
  address_ = uri;
  const auto& options = with_.options;
  parts_ = std::make_shared<part_writer>(with_.queue,
                                         part_settings{id_, held_.record.name, held_.epoch(), options.labels,
                                                       note_.next_seq, options.part_bytes, options.part_age},
                                         [mail = mail_] {
                                           const std::lock_guard lock{mail->mutex};
                                           mail->part_published = true;
                                           mail->changed.notify_all();
                                         });
  job_run run;
  run.input = {stream_id_, std::move(uri), held_.record.kind == jobs::job_kind::image, options.sample_fps};
  if (note_.progress.begun || note_.next_seq > 0) {
    run.from = note_.progress;
    run.from->begun = true;
  }
  run.sink = std::make_unique<job_sink>(parts_);
  run.progressed = [mail = mail_](job_step step) {
    const std::lock_guard lock{mail->mutex};
    auto& steps = mail->steps;
    const bool replaces = !steps.empty() && (steps.size() >= most_steps ||
                                             steps.back().progress.emitted_before == step.progress.emitted_before);
    if (replaces) steps.pop_back();
    steps.push_back(std::move(step));
  };
  run.ended = [mail = mail_](job_end end) {
    const std::lock_guard lock{mail->mutex};
    mail->end = std::move(end);
    mail->changed.notify_all();
  };
  started_ = noted_at_ = core::clock::now();
  with_.work.start(std::move(run));
}

/// While the pipeline works.
attempt_end attempt::follow() {
  const auto& options = with_.options;
  const auto tick = std::max(jobs::milliseconds{1}, std::min(options.part_age / 2, options.lease / 6));
  while (true) {
    std::optional<job_end> end;
    std::optional<core::time_point> stop_by;
    {
      std::unique_lock lock{mail_->mutex};
      mail_->changed.wait_for(lock, tick, [this] {
        return mail_->end || mail_->look || mail_->part_published || (mail_->stop_by && !called_off_);
      });
      mail_->part_published = false;
      end = mail_->end;
      stop_by = mail_->stop_by;
    }
    if (end) return taken_ ? *taken_ : conclude(*end);
    const auto now = core::clock::now();
    if (const auto flushed = parts_->flush(now); !flushed) call_off(); // the attempt fails when the run has ended
    gather();
    if (!taken_ && note_due(now)) note();
    if (!taken_) (void)tend();
    if (taken_) parts_->abandon();
    if (taken_ || stop_by) call_off();
    if (!stop_by || core::clock::now() < *stop_by) continue;
    spdlog::warn("job {}: its run did not end in time and is left", id_);
    parts_->abandon();
    return taken_ ? *taken_ : give_back();
  }
}

/// Whoever sent the job need not know where its input lies here.
core::error attempt::told_of(core::error why) const {
  if (const auto at = why.message.find(address_); !address_.empty() && at != std::string::npos)
    why.message.replace(at, address_.size(), "the input");
  return why;
}

attempt_end attempt::conclude(const job_end& end) {
  gather();
  const auto& ledger = end.ledger;
  const bool whole = !end.error && ledger.in_flight() == 0 && ledger.dropped_for(core::drop_reason::shutdown) == 0;
  if (const auto seen = parts_->seen(); seen.error) {
    note();
    return fail({seen.error->code, "its results could not be kept: " + seen.error->message}, retry::worthwhile);
  }
  if (!whole) {
    if (called_off_) return give_back();
    note();
    if (end.error)
      return fail(told_of(*end.error), lies_in_the_input(*end.error) ? retry::pointless : retry::worthwhile);
    return fail({errc::internal, "its run ended before all frames were worked on"}, retry::worthwhile);
  }
  if (const auto unwritten = ledger.dropped_for(core::drop_reason::sink_error); unwritten > 0)
    return fail({errc::io, fmt::format("{} results were not written", unwritten)}, retry::worthwhile);
  for (const auto reason : core::all_drop_reasons) {
    const auto i = static_cast<std::size_t>(reason);
    note_.dropped[i] = before_.dropped[i] + ledger.dropped[i];
  }
  if (const auto lost = lost_frames(note_); parts_in(note_) == 0 && !lost.empty()) {
    const auto another = only_by_input(note_) ? retry::pointless : retry::worthwhile;
    note_ = {}; // or else the next attempt would find nothing left to do
    changed_ = true;
    note();
    return fail({errc::corrupt, "none of its frames has a result: " + lost}, another);
  }
  note_.progress.begun = note_.progress.finished = true;
  note_.progress.seq = before_.progress.seq + ledger.received;
  frames_total_ = note_.progress.seq;
  changed_ = true;
  return finish();
}

/// All results are in parts.
attempt_end attempt::finish() {
  if (changed_) {
    if (auto noted = note_for_sure(); !noted) {
      spdlog::error("job {}: {}", id_, noted.error().message);
      return attempt_end::lost;
    }
  }
  if (taken_) return *taken_;
  const auto published = retried([this] { return assemble(); });
  if (taken_) return *taken_;
  if (!published) {
    if (published.error().code == errc::not_found) {
      renew(); // where the job is over, its parts are gone
      if (taken_) return *taken_;
      note_ = {};
      changed_ = true;
      note();
    }
    return fail(published.error(), retry::worthwhile);
  }
  if (!*published) return give_back();
  const auto ended = retried([this] { return with_.queue->complete(held_); });
  stands(ended);
  if (taken_) return *taken_;
  return ended ? attempt_end::done : attempt_end::lost;
}

/// The result, of the parts in order. False: called off.
core::expected<bool> attempt::assemble() {
  auto& store = with_.queue->blobs();
  auto out = store.create(jobs::result_name(id_));
  if (!out) return tl::unexpected{out.error()};
  std::vector<std::byte> piece(piece_bytes);
  for (std::uint64_t i = 0; i < parts_in(note_); ++i) {
    auto in = store.open(part_at(note_, id_, i));
    if (!in) return tl::unexpected{in.error()};
    while (true) {
      if (!tend()) return false;
      const auto n = (*in)->read(piece);
      if (!n) return tl::unexpected{n.error()};
      if (*n == 0) break;
      if (auto written = (*out)->write(std::span{piece}.first(*n)); !written) return tl::unexpected{written.error()};
    }
  }
  // One that exists is the same: it is only made of parts that were noted as all there are.
  if (auto made = (*out)->publish(); !made) return tl::unexpected{made.error()};
  return true;
}

attempt_end attempt::fail(const core::error& why, retry another) {
  if (taken_) return *taken_;
  const auto told = retried([&] { return with_.queue->fail(held_, why.message, another); });
  stands(told);
  if (taken_) return *taken_;
  if (!told) return attempt_end::lost;
  if (held_.record.state == jobs::job_state::dead)
    dead_of_ = another == retry::pointless ? std::string{core::to_string(why.code)} : "attempts";
  spdlog::warn("job {}: attempt {} of {} failed: {}", id_, held_.record.attempts, held_.record.max_attempts,
               why.message);
  return attempt_end::failed;
}

attempt_end attempt::give_back() {
  if (parts_) gather();
  if (changed_ && !taken_) note();
  if (taken_) return *taken_;
  const auto told = retried([this] { return with_.queue->give_back(held_); });
  stands(told);
  if (taken_) return *taken_;
  return told ? attempt_end::given_back : attempt_end::lost;
}

/// Parts are noted at once, since readers wait for them; steps without any now and then.
bool attempt::note_due(core::time_point now) {
  return note_at_once_ || (changed_ && now - noted_at_ >= with_.options.part_age);
}

/// Takes up how far parts and pipeline are: the furthest step all of whose results are in parts.
void attempt::gather() {
  const auto seen = parts_->seen();
  if (seen.durable_seq > note_.next_seq) {
    note_.next_seq = seen.durable_seq;
    if (note_.parts.empty() || note_.parts.back().epoch != held_.epoch()) note_.parts.push_back({held_.epoch(), 0});
    note_.parts.back().count = seen.parts;
    note_at_once_ = changed_ = true;
  }
  const std::lock_guard lock{mail_->mutex};
  auto& steps = mail_->steps;
  while (!steps.empty() && steps.front().progress.emitted_before <= note_.next_seq) {
    const auto& step = steps.front();
    note_.progress = step.progress;
    note_.progress.begun = true;
    note_.progress.finished = false; // which is for the attempt to say
    for (const auto reason : core::all_drop_reasons) {
      const auto i = static_cast<std::size_t>(reason);
      if (reason != core::drop_reason::shutdown) note_.dropped[i] = before_.dropped[i] + step.ledger.dropped[i];
    }
    if (step.frames_total > 0) frames_total_ = std::max(step.frames_total, step.progress.seq);
    changed_ = true;
    steps.pop_front();
  }
}

/// Notes how far it is, which also renews the lease. Where the store is away, the next time will do.
void attempt::note() {
  if (const auto noted = note_for_sure(); !noted) noted_at_ = core::clock::now();
}

core::expected<void> attempt::note_for_sure() {
  const core::seconds worked = core::clock::now() - started_;
  if (parts_ && worked.count() > 0 && note_.progress.seq > before_.progress.seq)
    note_.frames_per_s = static_cast<double>(note_.progress.seq - before_.progress.seq) / worked.count();
  const jobs::frame_progress frames{note_.progress.seq, frames_total_};
  const auto told = retried([&] { return with_.queue->progress(held_, frames, to_text(note_), with_.options.lease); });
  stands(told);
  if (!told) return tl::unexpected{told.error()};
  if (taken_) return {};
  noted_at_ = core::clock::now();
  note_at_once_ = changed_ = false;
  with_.board.tell(id_, job_news::moved);
  return {};
}

/// Keeps the lease. False: the attempt is to end.
bool attempt::tend() {
  bool look = false;
  {
    const std::lock_guard lock{mail_->mutex};
    look = std::exchange(mail_->look, false);
  }
  if (look || core::clock::now() >= renew_at_) renew();
  return !taken_ && !out_of_time();
}

void attempt::renew() { stands(with_.queue->extend(held_, with_.options.lease)); }

void attempt::stands(const core::expected<standing>& answer) {
  const auto now = core::clock::now();
  if (!answer) {
    spdlog::warn("job {}: {}", id_, answer.error().message);
    renew_at_ = now + with_.options.lease / 10;
    return;
  }
  renew_at_ = now + with_.options.lease / 3;
  if (*answer == standing::cancelled) taken_ = attempt_end::cancelled;
  if (*answer == standing::lost) taken_ = attempt_end::lost;
}

void attempt::call_off() {
  if (!std::exchange(called_off_, true)) with_.work.cancel(stream_id_);
}

/// Waits; false, at once, where the attempt is to stop.
bool attempt::pause(jobs::milliseconds time) {
  std::unique_lock lock{mail_->mutex};
  return !mail_->changed.wait_for(lock, time, [this] { return mail_->stop_by.has_value(); });
}

bool attempt::out_of_time() {
  const std::lock_guard lock{mail_->mutex};
  return mail_->stop_by && core::clock::now() >= *mail_->stop_by;
}

/// A step on the stores that is tried again for about three seconds where that may help.
template <class Step>
auto attempt::retried(Step step) -> decltype(step()) {
  constexpr int most_tries = 5;
  jobs::milliseconds wait{100};
  for (int i = 1;; ++i) {
    auto made = step();
    if (made || i == most_tries || !may_pass(made.error()) || !pause(wait)) return made;
    wait *= 2;
  }
}

} // namespace penstock::front
