#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "actors/caf_fwd.hpp"
#include "core/ids.hpp"
#include "transport/hub.hpp"
#include "transport/message.hpp"

namespace penstock::actors {

/// A frame or tensor for the machines of the next role. Its memory and its credit live as long as the message.
struct stage_item {
  core::result_id id;
  std::shared_ptr<const transport::message> message;
};

/// Which machine of the next role has which item; no sockets, no time. An item is here until it is answered, so any of
/// those machines may vanish: what it had goes to another, before everything that came later.
///
/// An item that kills its machines must not go round for ever, and its neighbours must not pay for it. So one that was
/// lost twice is a suspect: it waits for a machine that has nothing, which gets nothing beside it; what came later
/// waits behind it, so that there is such a machine soon. A suspect that is lost again, by itself, is given up.
class stage_book {
 public:
  using node = transport::peer_id;

  struct assignment {
    node to;
    core::result_id id;
    std::shared_ptr<const transport::message> message;
  };

  void add(stage_item item) { waiting_.push_back({next_number_++, std::move(item)}); }

  /// The machine takes so many more items.
  void grant(node n, std::uint32_t items) { nodes_[n].free += items; }

  /// Whether the machine is given nothing new.
  void retire(node n, bool retired = true) { nodes_[n].retired = retired; }

  /// The machine is gone, and its credit with it. Returns the items that are given up for it.
  [[nodiscard]] std::vector<core::result_id> lose(node n);

  /// As `lose`, but what the machine had has nothing to do with it.
  void release(node n);

  /// It was not sent: no loss of the item's.
  void take_back(const assignment& unsent);

  /// What goes out next, to the machine with the least under way for its size; call until empty.
  [[nodiscard]] std::optional<assignment> next();

  /// Forgets an item. False where this machine does not have it (any more): its answer is void.
  bool answer(node n, const core::result_id& id);

  [[nodiscard]] std::size_t under_way(node n) const noexcept;
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::size_t credit() const noexcept; ///< items that could go out at once

 private:
  struct numbered {
    std::uint64_t number = 0; ///< in the order in which items came
    stage_item item;
    unsigned losses = 0; ///< machines that were lost with it
  };
  struct state {
    std::uint32_t free = 0;
    bool retired = false;
    std::map<core::result_id, numbered> items;
  };

  [[nodiscard]] static bool is_suspect(const numbered& entry) noexcept;
  [[nodiscard]] static bool takes(const state& s, bool suspect) noexcept;
  void wait_again(std::map<core::result_id, numbered>&& items);

  std::map<node, state> nodes_;
  std::deque<numbered> waiting_;
  std::uint64_t next_number_ = 0;
};

} // namespace penstock::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(penstock::actors::stage_item)
