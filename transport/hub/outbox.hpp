#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include "transport/hub.hpp"
#include "transport/wire.hpp"

namespace penstock::transport {

/// What waits to be sent to one peer. Messages that are given in a row share a bundle (one header part), so that small
/// ones cost little each. Thread-safe.
class outbox {
 public:
  outbox(std::size_t most_messages, std::size_t most_bytes) : most_messages_{most_messages}, most_bytes_{most_bytes} {}

  /// Sets `first` when nothing was waiting before.
  [[nodiscard]] send_result put(const message& m, bool& first);

  /// The next bundle; null when nothing waits.
  [[nodiscard]] std::optional<parts> take();

  /// Nothing more is taken; `send_result::gone` from now on.
  void close();

  [[nodiscard]] bool empty() const;

 private:
  struct bundle {
    parts content;
    std::size_t messages = 0;
    std::size_t payload_bytes = 0;
  };

  mutable std::mutex mutex_;
  std::deque<bundle> bundles_;
  std::size_t most_messages_;
  std::size_t most_bytes_;
  std::size_t messages_ = 0;
  std::size_t bytes_ = 0;
  bool open_ = true;
};

} // namespace penstock::transport
