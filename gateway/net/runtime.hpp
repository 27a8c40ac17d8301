#pragma once

#include <utility> // before Asio of Boost 1.74, whose awaitable.hpp forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <mutex>
#include <optional>

namespace penstock::gateway::net {

/// The gateway's one thread, to which answers from others are brought. They may come when the server has ended.
class runtime {
 public:
  boost::asio::io_context io{1};

  void post(std::function<void()> what) {
    const std::lock_guard lock{mutex_};
    if (!closed_) boost::asio::post(io, std::move(what));
  }
  /// Nothing is taken any more: what is posted from now on is dropped.
  void close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }

 private:
  std::mutex mutex_;
  bool closed_ = false;
};

/// A value that one thread leaves for another.
template <class T>
class mailbox {
 public:
  void put(T value) {
    const std::lock_guard lock{mutex_};
    value_.emplace(std::move(value));
  }
  [[nodiscard]] std::optional<T> take() {
    const std::lock_guard lock{mutex_};
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
};

} // namespace penstock::gateway::net
