#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "transport/hub.hpp"
#include "transport/message.hpp"

namespace penstock::actors {

/// Stages that take what others send, so that they hold no leases.
[[nodiscard]] bool is_behind_link(const transport::hello& hello);

/// Whether a worker with these stages does all of the work itself.
[[nodiscard]] bool is_whole(const std::vector<std::string>& stages);

/// The machines behind the links of a cut pipeline, by their connections to the head; no sockets, no time.
class stage_directory {
 public:
  struct node {
    std::string name;
    std::string role;
    std::string address;
    std::vector<std::string> stages;
    core::worker_id machine{};
    std::string metrics{};
    bool leaving = false;                       ///< named to nobody any more
    unsigned silent = 0;                        ///< ticks since it was heard
    std::vector<transport::peer_id> watchers{}; ///< who asked for it to be drained
  };

  void add(transport::peer_id peer, const transport::hello& hello, core::worker_id machine);
  [[nodiscard]] node* find(transport::peer_id peer);
  [[nodiscard]] std::optional<transport::peer_id> named(const std::string& name) const;
  std::optional<node> remove(transport::peer_id peer);

  /// A tick passes; returns those that were silent for more than `most`.
  [[nodiscard]] std::vector<transport::peer_id> age(unsigned most);

  /// What a worker with these stages has to know: one message for each role that takes what it sends, also for one
  /// whose machines are all gone.
  [[nodiscard]] std::vector<transport::directory> for_sender(const std::vector<std::string>& stages) const;

  /// Whether somebody takes what a worker with these stages sends.
  [[nodiscard]] bool serves(const std::vector<std::string>& stages) const;

  [[nodiscard]] const std::map<transport::peer_id, node>& nodes() const noexcept { return nodes_; }

 private:
  std::map<transport::peer_id, node> nodes_;
  std::map<std::string, std::vector<std::string>> roles_; ///< stages of each role that was ever here
};

} // namespace penstock::actors
