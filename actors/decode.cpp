#include "actors/decode.hpp"

#include <caf/send.hpp>
#include <utility>

namespace penstock::actors {

namespace {

core::drop_reason reason_of(const core::error& error) {
  switch (error.code) {
  case core::errc::too_large: return core::drop_reason::too_large;
  case core::errc::unsupported: return core::drop_reason::unsupported;
  default: return core::drop_reason::corrupt;
  }
}

} // namespace

void decode_state::open(decode_actor::pointer self, const decode_config& config, const open_segment& lease,
                        preprocess_actor next, worker_inbox worker) {
  self_ = self;
  config_ = config;
  busy_ = busy_mark{config.busy};
  lease_ = lease;
  next_ = std::move(next);
  worker_ = std::move(worker);
  auto opened = media::decoder::open(*lease.codec, config.options);
  if (opened)
    decoder_ = std::move(*opened);
  else
    unusable_ = reason_of(opened.error());
}

void decode_state::add(const segment_packets& message) {
  for (const auto& packet : message.packets) {
    packets_.push_back(packet);
    if (packet.wanted) ++wanted_waiting_;
  }
  config_.metrics.queue.add(static_cast<double>(message.packets.size()));
  wake();
}

void decode_state::close() {
  closed_ = true;
  wake();
}

void decode_state::resume(const frame_credit& message) {
  awaiting_credit_ = false;
  credit_ = message.credit;
  step();
}

bool decode_state::has_work() const noexcept {
  if (!ready_.empty()) return true;
  // Packets nobody wants are decoded only when something wanted stands behind them; live streams do not put it off.
  if (wanted_waiting_ > 0 || (lease_.live && !packets_.empty())) return true;
  return closed_;
}

bool decode_state::finished() const noexcept {
  return closed_ && wanted_waiting_ == 0 && wanted_inside_ == 0 && ready_.empty();
}

void decode_state::wake() {
  if (stepping_) return;
  stepping_ = !awaiting_credit_ && has_work();
  busy_.set(stepping_);
  if (!stepping_) return;
  self_->send(self_, decode_step{});
}

void decode_state::step() {
  stepping_ = false;
  if (!ready_.empty()) {
    if (!send_frame()) return;
  } else if (finished()) {
    finish();
    return;
  } else if (wanted_waiting_ > 0 || (lease_.live && !packets_.empty())) {
    decode_next();
  } else if (closed_ && !flushed_) {
    flushed_ = true;
    const auto began = core::clock::now();
    if (decoder_) {
      if (auto flushed = decoder_->flush(); !flushed) {
        self_->send(worker_, decode_failed{lease_.segment, flushed.error()});
        self_->quit();
        return;
      }
    }
    take_frames(began);
    wanted_inside_ = 0;
  }
  if (!refused_.empty()) self_->send(worker_, frame_outcomes{std::exchange(refused_, {})});
  wake();
}

void decode_state::decode_next() {
  const auto next = std::move(packets_.front());
  packets_.pop_front();
  config_.metrics.queue.add(-1);
  if (next.wanted) --wanted_waiting_;
  if (unusable_) {
    if (next.wanted) refuse(next.ordinal, *unusable_);
    return;
  }
  const auto began = core::clock::now();
  if (next.wanted) ++wanted_inside_;
  if (auto sent = decoder_->send(*next.packet, next.ordinal, next.wanted); !sent) {
    self_->send(worker_, decode_failed{lease_.segment, sent.error()});
    self_->quit();
    return;
  }
  take_frames(began);
}

void decode_state::take_frames(core::time_point began) {
  std::size_t frames = 0;
  const auto already = ready_.size();
  while (decoder_) {
    auto out = decoder_->receive();
    if (!out) break;
    --wanted_inside_;
    const auto ordinal = static_cast<std::uint32_t>(out->key);
    if (!out->frame) {
      refuse(ordinal, reason_of(out->frame.error()));
      continue;
    }
    ready_.push_back({ordinal, std::move(*out->frame), {}});
    ++frames;
  }
  const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(core::clock::now() - began);
  config_.metrics.busy.add(core::seconds{spent}.count());
  for (std::size_t i = already; i < ready_.size(); ++i) {
    ready_[i].decode_time = spent / static_cast<std::int64_t>(frames);
    config_.metrics.items.add();
    config_.metrics.duration.observe(core::seconds{ready_[i].decode_time}.count());
  }
}

void decode_state::refuse(std::uint32_t ordinal, core::drop_reason reason) {
  refused_.push_back(core::dropped_outcome({lease_.segment, ordinal}, reason));
  ++outcomes_;
}

bool decode_state::send_frame() {
  if (!credit_) {
    auto handle = decode_actor{self_};
    credit_ = config_.credits->take({lease_.live, core::clock::now()}, [handle](credit granted) {
      caf::anon_send(handle, frame_credit{std::move(granted)});
    });
    if (!credit_) {
      awaiting_credit_ = true;
      busy_.set(false);
      return false;
    }
  }
  auto& frame = ready_.front();
  frame_task task;
  task.id = {lease_.segment, frame.ordinal};
  task.frame = std::move(frame.frame);
  task.times.decode = frame.decode_time;
  task.live = lease_.live;
  task.credit = std::exchange(credit_, nullptr);
  task.mark = lease_.mark;
  ready_.pop_front();
  ++outcomes_;
  config_.next_metrics.queue.add(1);
  self_->send(next_, std::move(task));
  return true;
}

void decode_state::finish() {
  config_.metrics.queue.add(-static_cast<double>(packets_.size()));
  if (!refused_.empty()) self_->send(worker_, frame_outcomes{std::exchange(refused_, {})});
  self_->send(worker_, decode_finished{lease_.segment, outcomes_});
  self_->quit();
}

decode_actor::behavior_type decode(decode_actor::stateful_pointer<decode_state> self, const decode_config& config,
                                   const open_segment& lease, const preprocess_actor& next,
                                   const worker_inbox& worker) {
  self->state.open(self, config, lease, next, worker);
  return {
      [self](const segment_packets& message) { self->state.add(message); },
      [self](const close_segment&) { self->state.close(); },
      [self](const frame_credit& message) { self->state.resume(message); },
      [self](const decode_step&) { self->state.step(); },
  };
}

} // namespace penstock::actors
