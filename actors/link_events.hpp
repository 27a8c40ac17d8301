#pragma once

#include <caf/send.hpp>
#include <memory>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/links.hpp"

namespace penstock::actors {

/// Link events as messages to an actor that takes `link_message` and `link_down`.
template <class Actor>
[[nodiscard]] transport::link_events events_to(const Actor& actor) {
  transport::link_events events;
  events.received = [actor](transport::peer_id peer, transport::message&& message) {
    caf::anon_send(actor, link_message{peer, std::make_shared<const transport::message>(std::move(message))});
  };
  events.lost = [actor](transport::peer_id peer, const core::error& why) {
    caf::anon_send(actor, link_down{peer, why});
  };
  return events;
}

/// The same for who dials, and takes `link_up` too. An address that cannot be reached is logged once, until it was.
template <class Actor>
[[nodiscard]] transport::link_events dialler_events_to(const Actor& actor) {
  auto events = events_to(actor);
  const auto said = std::make_shared<bool>(false);
  events.connected = [actor, said](transport::peer_id peer) {
    *said = false;
    caf::anon_send(actor, link_up{peer});
  };
  events.unreachable = [said](transport::peer_id, const core::error& why) {
    if (!std::exchange(*said, true)) spdlog::warn("{}; trying again until it works", why.message);
  };
  return events;
}

} // namespace penstock::actors
