#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "gateway/door/door.hpp"
#include "gateway/figures.hpp"
#include "gateway/options.hpp"

namespace penstock::gateway::net {

/// One connection as the hall knows it.
class guest {
 public:
  virtual ~guest() = default;
  /// Ends it now.
  virtual void close() = 0;
  /// Ends it after the request that is under way, and streams now.
  virtual void drain() = 0;
  [[nodiscard]] virtual bool is_leaving() const noexcept = 0;
};

/// The connections inside, and those of them that wait without a request. One thread, but for `size`.
class hall {
 public:
  hall(const options& with, door& by, figures& figures_of) : how{with}, gate{by}, counts{figures_of} {}

  /// Whether there is room for one from that address. If the hall is full, the connection that has waited longest
  /// without a request is closed.
  [[nodiscard]] bool make_room(const std::string& address);
  void enter(guest& c, const std::string& address);
  void leave(guest& c, const std::string& address);

  /// Waits for a request as long as it lives.
  class waiting {
   public:
    waiting(hall& in, guest& c) : in_{in}, at_{in.waiting_.insert(in.waiting_.end(), &c)} {}
    ~waiting() { in_.waiting_.erase(at_); }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

   private:
    hall& in_;
    std::list<guest*>::iterator at_;
  };

  /// No request after those that are under way.
  void drain();
  /// Ends every connection now.
  void close();
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  /// From any thread.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(); }

  /// Room for so many bytes of a body; false if there is none.
  [[nodiscard]] bool reserve(std::size_t bytes);
  void release(std::size_t bytes) { buffered_ -= bytes; }

  const options& how;
  door& gate;
  figures& counts;

 private:
  void count();

  std::set<guest*> inside_;
  std::atomic<std::size_t> size_{0};
  std::list<guest*> waiting_; ///< longest first
  std::map<std::string, std::size_t> by_address_;
  std::size_t buffered_ = 0;
  bool draining_ = false;
};

/// Bytes of a body in memory, given back when the request is over.
class reservation {
 public:
  explicit reservation(hall& in) : hall_{in} {}
  ~reservation() { hall_.release(bytes_); }
  reservation(const reservation&) = delete;
  reservation& operator=(const reservation&) = delete;
  [[nodiscard]] bool grow(std::size_t bytes) {
    if (!hall_.reserve(bytes)) return false;
    bytes_ += bytes;
    return true;
  }

 private:
  hall& hall_;
  std::size_t bytes_ = 0;
};

} // namespace penstock::gateway::net
