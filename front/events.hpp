#pragma once

#include "actors/head_observer.hpp"
#include "gateway/event_hub.hpp"

namespace penstock::front {

/// Tells readers of /v1/events what happens in the pipeline. `hub` outlives the head.
[[nodiscard]] actors::head_observer observer_for(gateway::event_hub& hub);

} // namespace penstock::front
