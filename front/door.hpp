#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/node.hpp"
#include "core/error.hpp"
#include "topology/config.hpp"

namespace penstock::front {

/// The HTTP door of a node: pictures, streams, jobs, events, state, and the console. Made before the node, and gone
/// after it.
class door {
 public:
  /// `role` says where; both outlive the door.
  door(const topology::config& topology, const topology::node_config& role);
  ~door();
  door(const door&) = delete;
  door& operator=(const door&) = delete;

  /// What the node must know to stand behind it.
  [[nodiscard]] actors::node_door for_node();

  /// Lets people in, and begins to work on jobs, as `name`. `drain` is called, on a thread of the door, where somebody
  /// asks the program to end. Errors: `bad_config` (options, certificate, stores), `io` (cannot listen, stores).
  [[nodiscard]] core::expected<void> open(actors::node& node, const std::string& name, const std::string& version,
                                          std::function<void()> drain);

  /// Takes no more jobs, and gives those that are worked on back to the queue, for others or for the next start. Takes
  /// some seconds at most; to be called before the node is shut down.
  void stop_jobs();

  /// As people type it; once it is open.
  [[nodiscard]] std::string url() const;

  /// Takes no more, lets answers that are on their way arrive for at most `grace`, and closes. The node must still be
  /// there.
  void close(std::chrono::milliseconds grace);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The role (any, where `role` is empty) that has a door; null where there is none.
[[nodiscard]] const topology::node_config* role_with_door(const topology::config& topology, const std::string& role);

} // namespace penstock::front
