#include "front/jobs/result_desk.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "front/jobs/job_note.hpp"
#include "jobs/blobs.hpp"

namespace penstock::front {

using core::errc;

struct result_desk::shared {
  shared(std::shared_ptr<jobs::job_queue> of, task_pool& with, settings how)
      : queue{std::move(of)}, pool{&with}, options{how} {}

  const std::shared_ptr<jobs::job_queue> queue;
  task_pool* const pool; ///< not after `stopped`
  const settings options;
  std::mutex mutex; ///< guards the next ones
  std::condition_variable changed;
  bool stopped = false;
  std::uint64_t news = 0;
  std::map<std::string, std::vector<waiting>> waiting_for; ///< by id

  void ask(std::shared_ptr<result_reader> reader, piece done);
  void wake(const std::string& id);
  void wait(const std::string& id, waiting who, std::uint64_t news_before);
  std::uint64_t news_so_far() {
    const std::lock_guard lock{mutex};
    return news;
  }
};

/// Where one client is. Only one task at a time works on it.
class result_reader : public std::enable_shared_from_this<result_reader> {
 public:
  result_reader(std::shared_ptr<result_desk::shared> desk, const jobs::job& record)
      : desk_{std::move(desk)}, id_{record.id} {
    take_up(record);
  }

  void advance(const result_desk::piece& done);

  bool left = false; ///< its client has gone; guarded by the desk's mutex

 private:
  void take_up(const jobs::job& record);
  core::expected<std::string> read_some();
  /// Opens what comes next of what is known; false where there is nothing.
  core::expected<bool> open_next();

  const std::shared_ptr<result_desk::shared> desk_;
  const std::string id_;
  jobs::job_state state_ = jobs::job_state::queued;
  std::string error_; ///< of the record
  job_note note_;
  bool begun_anew_ = false;  ///< the parts that were read count no more: the rest comes from the result
  std::uint64_t part_ = 0;   ///< the one that is read, or comes next
  std::uint64_t offset_ = 0; ///< bytes that were given
  std::unique_ptr<jobs::blob_reader> open_;
  bool in_result_ = false;
};

void result_reader::take_up(const jobs::job& record) {
  state_ = record.state;
  error_ = record.error;
  auto note = parse_job_note(record.checkpoint);
  if (!note) return; // as far as it is known, then; the result comes all the same
  // What was read stays a beginning of the result only while parts are added at the end.
  std::uint64_t read = part_;
  for (std::size_t i = 0; i < note_.parts.size() && read > 0; ++i) {
    const auto taken = std::min(read, note_.parts[i].count);
    const bool same =
        i < note->parts.size() && note->parts[i].epoch == note_.parts[i].epoch && note->parts[i].count >= taken;
    if (!same) begun_anew_ = true;
    read -= taken;
  }
  note_ = std::move(*note);
}

core::expected<bool> result_reader::open_next() {
  if (state_ == jobs::job_state::done) {
    auto opened = desk_->queue->blobs().open(jobs::result_name(id_), offset_);
    if (!opened) return tl::unexpected{opened.error()};
    open_ = std::move(*opened);
    in_result_ = true;
    return true;
  }
  if (begun_anew_ || part_ >= parts_in(note_)) return false;
  auto opened = desk_->queue->blobs().open(part_at(note_, id_, part_));
  if (!opened && opened.error().code == errc::not_found) return false; // the job is over by now
  if (!opened) return tl::unexpected{opened.error()};
  open_ = std::move(*opened);
  return true;
}

core::expected<std::string> result_reader::read_some() {
  std::string out(desk_->options.piece_bytes, '\0');
  const auto n = open_->read(std::as_writable_bytes(std::span{out}));
  if (!n) return tl::unexpected{n.error()};
  out.resize(*n);
  offset_ += *n;
  return out;
}

void result_reader::advance(const result_desk::piece& done) {
  bool looked = false; // at the record, in this call
  std::uint64_t news = 0;
  while (true) {
    if (open_) {
      auto bytes = read_some();
      if (!bytes || !bytes->empty()) return done(std::move(bytes));
      open_.reset();
      if (in_result_) return done(std::string{});
      ++part_;
      looked = false;
    }
    if (in_result_) return done(std::string{});
    const auto opened = open_next();
    if (!opened) return done(tl::unexpected{opened.error()});
    if (*opened) continue;
    if (looked && state_ == jobs::job_state::dead)
      return done(core::fail(errc::cancelled, "job " + id_ + " is dead: " + error_));
    if (looked && state_ == jobs::job_state::cancelled)
      return done(core::fail(errc::cancelled, "job " + id_ + " was cancelled"));
    if (looked) break;
    news = desk_->news_so_far();
    const auto record = desk_->queue->get(id_);
    if (!record) return done(tl::unexpected{record.error()});
    if (!*record) return done(core::fail(errc::not_found, "job " + id_ + " is gone"));
    take_up(**record);
    looked = true;
  }
  const auto parts = begun_anew_ ? ~std::uint64_t{0} : parts_in(note_);
  desk_->wait(id_, {shared_from_this(), done, parts}, news);
}

namespace {

tl::unexpected<core::error> gone() { return core::fail(errc::unavailable, "no results are given out any more"); }
tl::unexpected<core::error> too_many() { return core::fail(errc::unavailable, "too many wait for the store"); }

} // namespace

void result_desk::shared::ask(std::shared_ptr<result_reader> reader, piece done) {
  std::unique_lock lock{mutex};
  if (stopped) {
    lock.unlock();
    return done(gone());
  }
  const bool taken = pool->post([reader = std::move(reader), done](bool go) {
    if (go)
      reader->advance(done);
    else
      done(gone());
  });
  lock.unlock();
  if (!taken) done(too_many());
}

/// Whoever waits for a job looks at it again.
void result_desk::shared::wake(const std::string& id) {
  std::vector<waiting> woken;
  {
    const std::lock_guard lock{mutex};
    ++news;
    const auto found = waiting_for.find(id);
    if (found == waiting_for.end()) return;
    woken = std::move(found->second);
    waiting_for.erase(found);
  }
  for (auto& each : woken) ask(std::move(each.reader), std::move(each.done));
}

void result_desk::shared::wait(const std::string& id, waiting who, std::uint64_t news_before) {
  {
    const std::lock_guard lock{mutex};
    if (who.reader->left) return;
    if (!stopped && news == news_before) {
      waiting_for[id].push_back(std::move(who));
      return;
    }
  }
  ask(std::move(who.reader), std::move(who.done));
}

namespace {

/// What the gateway holds of a reader.
template <class Desk>
class result_source final : public gateway::byte_source {
 public:
  result_source(std::shared_ptr<Desk> desk, std::shared_ptr<result_reader> reader, std::string id)
      : desk_{std::move(desk)}, reader_{std::move(reader)}, id_{std::move(id)} {}

  ~result_source() override {
    gateway::completion<std::string> forgotten; // goes without the lock
    const std::lock_guard lock{desk_->mutex};
    reader_->left = true;
    const auto found = desk_->waiting_for.find(id_);
    if (found == desk_->waiting_for.end()) return;
    auto& readers = found->second;
    const auto own = std::ranges::find(readers, reader_, [](const auto& each) { return each.reader; });
    if (own == readers.end()) return;
    forgotten = std::move(own->done);
    readers.erase(own);
    if (readers.empty()) desk_->waiting_for.erase(found);
  }

  void next(gateway::completion<std::string> done) override { desk_->ask(reader_, std::move(done)); }

 private:
  std::shared_ptr<Desk> desk_;
  std::shared_ptr<result_reader> reader_;
  std::string id_;
};

} // namespace

result_desk::result_desk(std::shared_ptr<jobs::job_queue> queue, std::shared_ptr<job_board> board, task_pool& pool,
                         settings with)
    : shared_{std::make_shared<shared>(std::move(queue), pool, with)}, board_{std::move(board)} {
  listener_ = board_->listen([this](const std::string& id, job_news what) {
    if (what != job_news::waits) shared_->wake(id);
  });
  thread_ = std::thread{[this] { poll(); }};
}

result_desk::~result_desk() { stop(); }

void result_desk::stop() {
  board_->leave(std::exchange(listener_, 0));
  std::map<std::string, std::vector<waiting>> left;
  {
    const std::lock_guard lock{shared_->mutex};
    shared_->stopped = true;
    left.swap(shared_->waiting_for);
    shared_->changed.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (const auto& [id, readers] : left) {
    for (const auto& each : readers) each.done(gone());
  }
}

std::shared_ptr<gateway::byte_source> result_desk::read(const jobs::job& record) {
  return std::make_shared<result_source<shared>>(shared_, std::make_shared<result_reader>(shared_, record), record.id);
}

/// Looks at the records of all jobs that somebody waits for, once each, however many wait.
void result_desk::poll() {
  auto& desk = *shared_;
  std::unique_lock lock{desk.mutex};
  while (!desk.changed.wait_for(lock, desk.options.poll, [&] { return desk.stopped; })) {
    std::map<std::string, std::uint64_t> known; // the fewest parts that one of them knows of
    for (const auto& [id, readers] : desk.waiting_for) {
      const auto least = std::ranges::min_element(readers, {}, &waiting::parts);
      known[id] = least->parts;
    }
    lock.unlock();
    for (const auto& [id, parts] : known) {
      const auto record = desk.queue->get(id);
      if (!record) continue; // the store is away; they wait on
      const auto note = *record ? parse_job_note((*record)->checkpoint) : core::expected<job_note>{};
      const bool moved = !*record || jobs::is_final((*record)->state) || !note || parts_in(*note) > parts;
      if (moved) desk.wake(id);
    }
    lock.lock();
  }
}

} // namespace penstock::front
