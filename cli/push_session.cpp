#include "cli/push_session.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <variant>

namespace penstock::cli {

namespace {

namespace wire = transport::push;

constexpr std::chrono::milliseconds turn{200}; // between looks at whether to stop

wire::packet packet_of(const std::string& stream, const core::packet& from) {
  wire::packet out;
  out.stream = stream;
  out.pts_us = from.pts.count();
  out.dts_us = from.dts.count();
  out.duration_us = from.duration.count();
  out.key = from.access != core::random_access::none;
  out.shown = from.shown;
  out.damaged = from.damaged;
  out.name = from.name;
  out.bytes = {from.owner, from.bytes};
  return out;
}

} // namespace

push_session::push_session(push_session_config config, std::stop_token stop)
    : config_{std::move(config)}, stop_{std::move(stop)}, policy_{config_.policy} {}

core::expected<void> push_session::begin(core::codec_ptr codec) {
  codec_ = std::move(codec);
  return connect();
}

core::expected<void> push_session::open(const core::codec_ptr& codec) {
  codec_ = codec;
  return client_->send(wire::open{config_.stream, *codec, config_.policy, std::exchange(known_, true)});
}

/// Connects anew and sends again what a lossless stream may have lost.
core::expected<void> push_session::connect() {
  const auto until = core::clock::now() + config_.patience;
  media::backoff pause{{std::chrono::milliseconds{100}, std::chrono::milliseconds{2000}}};
  core::error last{core::errc::unavailable, config_.address + ": no head"};
  while (core::clock::now() < until) {
    if (stop_.stop_requested()) return core::fail(core::errc::cancelled, "asked to stop");
    client_.reset();
    credit_ = 0;
    answered_ = false;
    auto made = transport::push_client::connect(config_.address, config_.keys, std::chrono::seconds{3});
    if (!made && made.error().code == core::errc::bad_config) return tl::unexpected{made.error()};
    auto ready = made ? core::expected<void>{} : core::expected<void>{tl::unexpected{made.error()}};
    if (made) {
      client_ = std::move(*made);
      ready = open(kept_.empty() ? codec_ : kept_.front().codec);
    }
    while (ready && !answered_ && !refused_ && !done_ && core::clock::now() < until && !stop_.stop_requested())
      ready = take(turn);
    if (done_) return {};
    if (refused_ && refused_->code != core::errc::unavailable) return tl::unexpected{*refused_};
    if (ready && answered_) {
      skipping_ = !lossless();
      // By number: what the head says to have meanwhile leaves the front.
      for (auto n = first_kept_; ready && n < first_kept_ + kept_.size(); n = std::max(n + 1, first_kept_)) {
        const auto next = kept_[n - first_kept_];
        ready = deliver(next);
      }
      if (ready) return {};
    }
    last = !ready ? ready.error() : refused_.value_or(last);
    refused_.reset();
    std::this_thread::sleep_for(pause.next(jitter_));
  }
  return tl::unexpected{last};
}

core::expected<void> push_session::try_again(const core::error& why) {
  if (why.code != core::errc::unavailable) return tl::unexpected{why};
  spdlog::warn("{}; connecting again", why.message);
  return connect();
}

core::expected<void> push_session::take(std::chrono::milliseconds wait) {
  while (true) {
    auto said = client_->receive(wait);
    if (!said) return tl::unexpected{said.error()};
    if (!*said) return {};
    wait = std::chrono::milliseconds{0};
    if (const auto* credit = std::get_if<wire::credit>(&**said)) {
      answered_ = true;
      credit_ += credit->packets;
      received_ = credit->received;
      policy_ = credit->policy;
      for (; !kept_.empty() && first_kept_ < received_; ++first_kept_) kept_.pop_front();
    } else if (auto* account = std::get_if<wire::done>(&**said)) {
      done_ = std::move(*account);
    } else if (const auto* error = std::get_if<wire::error>(&**said)) {
      // A connection that just broke may still stand in the head's books.
      const bool soon = error->message.find("another connection") != std::string::npos;
      refused_ = core::error{soon ? core::errc::unavailable : core::errc::invalid_argument, error->message};
      if (answered_) return tl::unexpected{*refused_};
    }
  }
}

/// Sends within credit, for which it waits.
core::expected<void> push_session::deliver(const kept& next) {
  auto ready = take(std::chrono::milliseconds{0});
  while (ready && credit_ == 0 && !done_) {
    if (stop_.stop_requested()) return core::fail(core::errc::cancelled, "asked to stop");
    ready = take(turn);
  }
  if (!ready || done_) return ready;
  if (next.codec != codec_) ready = open(next.codec);
  if (ready) ready = client_->send(packet_of(config_.stream, *next.packet));
  if (ready) --credit_;
  return ready;
}

core::expected<void> push_session::push(const core::codec_ptr& codec, const core::packet_ptr& packet) {
  if (done_) return {};
  const kept next{codec, packet};
  if (lossless()) {
    kept_.push_back(next); // before it is sent, so that a new connection sends it too
    auto ready = deliver(next);
    if (!ready) ready = try_again(ready.error());
    if (ready) ++sent_;
    return ready;
  }
  auto ready = take(std::chrono::milliseconds{0});
  if (!ready) ready = try_again(ready.error());
  if (!ready || done_) return ready;
  if (skipping_ && packet->access != core::random_access::none) skipping_ = false;
  if (credit_ == 0) skipping_ = true;
  if (skipping_) {
    ++skipped_;
    return {};
  }
  ready = deliver(next);
  if (ready) ++sent_;
  return ready ? ready : try_again(ready.error());
}

core::expected<wire::done> push_session::end() {
  bool told = false;
  while (!done_) {
    auto ready = told ? core::expected<void>{} : client_->send(wire::end{config_.stream});
    told = ready.has_value();
    while (ready && !done_) ready = take(turn);
    if (done_) break;
    if (!ready) {
      told = false;
      if (auto again = try_again(ready.error()); !again) return tl::unexpected{again.error()};
    }
  }
  return *done_;
}

} // namespace penstock::cli
