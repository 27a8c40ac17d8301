#include "scaling/simulator/world.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <variant>

#include "core/overloaded.hpp"

namespace penstock::scaling::simulator {

namespace {

constexpr std::int64_t beat_us = 500'000;

/// Bytes that nobody reads: the core counts packets' sizes only.
constexpr std::array<std::byte, 1> no_bytes{};

} // namespace

core::expected<void> scenario::validate() const {
  const auto wrong = [](const char* message) { return core::fail(core::errc::invalid_argument, message); };
  if (const auto valid = service.validate(); !valid) return valid;
  if (const auto valid = machines.validate(); !valid) return valid;
  if (const auto valid = dispatcher.validate(); !valid) return valid;
  if (const auto valid = controlling.validate(); !valid) return valid;
  if (objective_s <= 0) return wrong("objective is not above 0");
  if (deadline_s <= 0) return wrong("deadline is not above 0");
  if (interval_s < 0.001) return wrong("interval is below 1 ms");
  if (window_s < interval_s) return wrong("window is shorter than interval");
  if (streams_per_worker < 0) return wrong("streams_per_worker is below 0");
  if (tick.count() < 1) return wrong("tick is below 1 ms");
  if (demand.length_s <= 0) return wrong("the load has no length");
  if (demand.items().size() > 0 && demand.mean() * demand.length_s > 4e9) return wrong("the load has too many items");
  return {};
}

int scenario::places() const noexcept {
  if (!demand.has_cameras()) return 0;
  if (streams_per_worker > 0) return streams_per_worker;
  return std::max(1, static_cast<int>(0.8 * service.most_per_s() / demand.frames_per_s));
}

results simulate(const scenario& what, std::vector<policy_ptr> policies) {
  std::string names;
  for (const auto& p : policies) names.append(names.empty() ? "" : "+").append(p->name());
  auto found = world{what, std::move(policies)}.run();
  found.policy = std::move(names);
  return found;
}

world::world(const scenario& what, std::vector<policy_ptr> policies)
    : what_{what}, controller_{what.controlling, std::move(policies)}, head_{{what.dispatcher, {}, 0}}, rng_{what.seed},
      end_us_{to_us(what.demand.length_s)} {
  if (what.demand.has_cameras()) {
    frames_coming_.emplace(what.demand, rng_.next());
    cameras_.resize(what.demand.cameras.size());
  } else {
    requests_coming_.emplace(what.demand, rng_.next());
  }
  auto packet = std::make_shared<core::packet>();
  packet->access = core::random_access::closed;
  packet->bytes = no_bytes;
  packet_ = std::move(packet);
  auto codec = std::make_shared<core::codec_description>();
  codec->codec = "mjpeg";
  stream_.codec = std::move(codec);
  stream_.limits.policy = what.demand.has_cameras() ? dispatch::stream_policy::live : dispatch::stream_policy::request;
  results_.load = what.demand.name;
  results_.length_s = what.demand.length_s;
}

void world::at(std::int64_t us, kind what, std::uint32_t machine, std::uint32_t instance) {
  queue_.push({us, ++order_, what, machine, instance});
}

results world::run() {
  for (int i = 0; i < what_.machines.initial; ++i) join(machines_[ask_for_instance()]);
  carry_out();
  results_.asked = 0;
  target_ = what_.machines.initial;
  at(0, kind::beat);
  at(what_.tick.count() * 1000, kind::tick);
  at(to_us(what_.interval_s), kind::decide);
  past_.push_back(sums_);
  const auto patience = to_us(std::max(what_.deadline_s, 10.0));
  while (!is_over() && now_us_ < end_us_ + patience) step();
  conclude();
  return std::move(results_);
}

bool world::is_over() const noexcept {
  if (now_us_ < end_us_) return false;
  return what_.demand.has_cameras() ? cameras_on_ == 0 && frames_coming_->next_us() == never_us
                                    : requests_.empty() && requests_coming_->next_us() == never_us;
}

/// The next event: of the load, or of those that were planned.
void world::step() {
  const auto load_us = frames_coming_ ? frames_coming_->next_us() : requests_coming_->next_us();
  if (load_us < queue_.top().at_us) {
    now_us_ = load_us;
    if (frames_coming_)
      bring_frame();
    else
      bring_request();
  } else {
    const auto next = queue_.top();
    queue_.pop();
    now_us_ = next.at_us;
    handle(next);
  }
  carry_out();
}

void world::handle(const event& e) {
  switch (e.what) {
  case kind::batch_done: complete(machines_[e.machine], e.instance); break;
  case kind::booted: boot_ended(machines_[e.machine]); break;
  case kind::warmed: join(machines_[e.machine]); break;
  case kind::notice: warn(machines_[e.machine]); break;
  case kind::taken: lose(machines_[e.machine]); break;
  case kind::tick:
    head_.tick(now(), actions_);
    at(now_us_ + what_.tick.count() * 1000, kind::tick);
    break;
  case kind::beat:
    for (const auto i : there_)
      if (machines_[i].works()) head_.worker_heartbeat(machines_[i].id, now());
    at(now_us_ + beat_us, kind::beat);
    break;
  case kind::decide:
    if (now_us_ > end_us_) break;
    decide();
    at(now_us_ + to_us(what_.interval_s), kind::decide);
    break;
  }
}

// ---- the load

void world::bring_request() {
  requests_coming_->pop();
  const core::stream_id stream{static_cast<std::uint32_t>(requests_.end_number())};
  requests_.push_back({now_us_, false});
  ++sums_.arrived;
  stream_.limits.deadline = now() + std::chrono::microseconds{to_us(what_.deadline_s)};
  head_.add_stream(stream, stream_, now(), actions_);
  head_.push(stream, packet_, now(), actions_);
  head_.finish(stream, now(), actions_);
}

void world::bring_frame() {
  const core::stream_id stream{frames_coming_->camera()};
  const bool last = frames_coming_->is_last();
  frames_coming_->pop();
  auto& camera = cameras_[stream.value];
  if (!camera.open) {
    camera = {now_us_, true};
    ++cameras_on_;
    head_.add_stream(stream, stream_, now(), actions_);
  }
  ++sums_.arrived;
  head_.push(stream, packet_, now(), actions_);
  if (last) head_.finish(stream, now(), actions_);
}

// ---- the head's wishes

void world::carry_out() {
  while (!actions_.empty() || !to_start_.empty()) {
    std::swap(actions_, work_);
    for (auto& wish : work_)
      std::visit(core::overloaded{
                     [&](const dispatch::send_open&) { ++results_.leases; },
                     [&](const dispatch::send_packet& m) { take(m); }, [&](const dispatch::send_close& m) { close(m); },
                     [&](const dispatch::revoke& m) { revoke(m); }, [&](const dispatch::emit& m) { receive(m.result); },
                     [&](const dispatch::stream_finished& m) { end_stream(m.stream); },
                     [&](const dispatch::worker_expired& m) { stop(of(m.worker), phase::gone); },
                     [](const auto&) {}, // grants and checkpoints: of no use here
                 },
                 wish);
    results_.events += work_.size();
    work_.clear();
    if (!actions_.empty()) continue;
    while (!to_start_.empty()) {
      auto& m = machines_[to_start_.back()];
      to_start_.pop_back();
      start(m);
    }
  }
}

void world::receive(const core::frame_result& result) {
  const auto stream = result.id.segment.stream;
  const auto arrived_us = frames_coming_ ? cameras_[stream.value].first_us +
                                               static_cast<std::int64_t>(result.seq) * frames_coming_->period_us()
                                         : requests_[stream.value].arrived_us;
  const auto took_us = now_us_ - arrived_us + to_us(what_.service.overhead_s);
  ++sums_.finished;
  if (took_us <= to_us(what_.objective_s))
    ++results_.within;
  else
    ++sums_.late;
  results_.times.add(took_us);
  interval_times_.add(took_us);
  head_.acknowledged(stream, 1, 0, now(), actions_);
}

/// All of the stream has its fate: its books are closed.
void world::end_stream(core::stream_id stream) {
  const auto& books = head_.collecting().ledger_of(stream);
  for (std::size_t i = 0; i < books.dropped.size(); ++i) results_.dropped[i] += books.dropped[i];
  head_.remove_stream(stream);
  if (frames_coming_) {
    cameras_[stream.value].open = false;
    --cameras_on_;
    return;
  }
  requests_[stream.value].over = true;
  while (!requests_.empty() && requests_.front().over) requests_.pop_front();
}

} // namespace penstock::scaling::simulator
