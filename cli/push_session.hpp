#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <stop_token>
#include <string>

#include "core/error.hpp"
#include "core/packet.hpp"
#include "media/backoff.hpp"
#include "transport/push_client.hpp"

namespace penstock::cli {

struct push_session_config {
  std::string address;
  std::string stream;
  transport::push::policy policy = transport::push::policy::live; ///< what is asked for; the head decides
  std::optional<transport::key_ring> keys;
  std::chrono::milliseconds patience{30'000}; ///< how long a head may be away
};

/// Pushes one stream to a head over as many connections as it takes. A lossless stream loses nothing while the head
/// lives: what the head has not said to have is kept, and sent again. Blocks; one thread at a time.
class push_session {
 public:
  push_session(push_session_config config, std::stop_token stop);

  /// Errors: `unavailable` (no head in time), `invalid_argument` (the head refuses the stream; says why), `cancelled`.
  [[nodiscard]] core::expected<void> begin(core::codec_ptr codec);
  /// The next packet, in decode order. A live one that the head has no credit for is skipped, and so is what follows up
  /// to the next keyframe. Errors as `begin`.
  [[nodiscard]] core::expected<void> push(const core::codec_ptr& codec, const core::packet_ptr& packet);
  /// Nothing more comes; waits for the head's account. Errors as `begin`.
  [[nodiscard]] core::expected<transport::push::done> end();

  [[nodiscard]] bool lossless() const noexcept { return policy_ == transport::push::policy::lossless; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
  /// The head ended the stream by itself.
  [[nodiscard]] bool over() const noexcept { return done_.has_value(); }

 private:
  struct kept {
    core::codec_ptr codec;
    core::packet_ptr packet;
  };

  core::expected<void> connect();
  core::expected<void> take(std::chrono::milliseconds wait);
  core::expected<void> deliver(const kept& next);
  core::expected<void> try_again(const core::error& why);
  core::expected<void> open(const core::codec_ptr& codec);

  push_session_config config_;
  std::stop_token stop_;
  std::optional<transport::push_client> client_;
  transport::push::policy policy_;
  core::codec_ptr codec_;        ///< that the head knows
  std::deque<kept> kept_;        ///< lossless: sent, and not known to be received
  std::uint64_t first_kept_ = 0; ///< number of the first of them
  std::uint64_t sent_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t credit_ = 0;
  std::uint64_t received_ = 0; ///< by the head
  bool answered_ = false;      ///< the head has taken the stream on this connection
  bool known_ = false;         ///< the head may know the stream from before
  bool skipping_ = false;
  std::optional<core::error> refused_;
  std::optional<transport::push::done> done_;
  std::mt19937_64 jitter_{std::random_device{}()};
};

} // namespace penstock::cli
