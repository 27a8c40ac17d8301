#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <vector>

#include "core/time.hpp"
#include "metrics/instruments.hpp"

namespace penstock::actors {

class credit_pool;

/// Leave to have one frame between decode and the engine. Returns to its pool when the last copy goes, wherever that
/// is: with the frame, with an actor that dies, or with a message that nobody reads.
class credit_token {
 public:
  credit_token(std::shared_ptr<credit_pool> pool, bool live) noexcept : pool_{std::move(pool)}, live_{live} {}
  ~credit_token();
  credit_token(const credit_token&) = delete;
  credit_token& operator=(const credit_token&) = delete;

 private:
  std::shared_ptr<credit_pool> pool_;
  bool live_;
};

using credit = std::shared_ptr<const credit_token>;

/// Whose turn it is when credit is scarce: live before lossless, older before younger; but every eighth grant goes to a
/// lossless waiter where there is one, so that those never starve.
struct credit_claim {
  bool live = false;
  core::time_point since;
};

/// The credit that a consumer grants its producers. Thread-safe, never blocks.
class credit_pool : public std::enable_shared_from_this<credit_pool> {
 public:
  using receiver = std::function<void(credit)>;

  /// Lossless claims that found none wait until `burst` credits are there at once (at most all): then decoders produce
  /// many frames in a row, and the engine consumes many, each with its own code and data in the caches. Live claims
  /// never wait for that, and while they hold credits nobody does: they might never leave a burst.
  credit_pool(std::size_t credits, metrics::gauge available, std::size_t burst = 1);

  /// A credit now, or null; then `ready` is called with one when it is this claim's turn, from any thread. It must not
  /// block or throw.
  [[nodiscard]] credit take(const credit_claim& claim, receiver ready);

  [[nodiscard]] std::size_t available() const;

 private:
  friend class credit_token;

  struct waiter {
    credit_claim claim;
    std::uint64_t order = 0;
    receiver ready;
  };
  struct later {
    bool operator()(const waiter& a, const waiter& b) const noexcept {
      return a.claim.since != b.claim.since ? a.claim.since > b.claim.since : a.order > b.order;
    }
  };
  using waiters = std::priority_queue<waiter, std::vector<waiter>, later>;

  struct grant {
    receiver ready;
    bool live = false;
  };

  void give_back(bool live);
  grant next_grant();
  void account(bool live);

  mutable std::mutex mutex_;
  std::size_t available_;
  std::size_t burst_;
  std::size_t live_out_ = 0; ///< credits that live claims hold
  std::uint64_t claims_ = 0;
  std::uint64_t live_in_a_row_ = 0;
  waiters live_;
  waiters lossless_;
  metrics::gauge gauge_;
};

} // namespace penstock::actors
