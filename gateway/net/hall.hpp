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

class connection;

/// The connections inside, and those of them that wait without a request. One thread, but for `size`.
class hall {
 public:
  hall(const options& with, door& by, figures& figures_of) : how{with}, gate{by}, counts{figures_of} {}

  /// Whether there is room for one from that address. If the hall is full, the connection that has waited longest
  /// without a request is closed.
  [[nodiscard]] bool make_room(const std::string& address);
  void enter(connection& c, const std::string& address);
  void leave(connection& c, const std::string& address);

  using place = std::list<connection*>::iterator;
  [[nodiscard]] place wait(connection& c) { return waiting_.insert(waiting_.end(), &c); }
  void wait_no_more(place at) { waiting_.erase(at); }

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

  std::set<connection*> inside_;
  std::atomic<std::size_t> size_{0};
  std::list<connection*> waiting_; ///< longest first
  std::map<std::string, std::size_t> by_address_;
  std::size_t buffered_ = 0;
  bool draining_ = false;
};

} // namespace penstock::gateway::net
