#pragma once

#include <string>

#include "actors/head_observer.hpp"
#include "front/jobs/job_board.hpp"
#include "gateway/event_hub.hpp"

namespace penstock::front {

/// Tells readers of /v1/events what happens in the pipeline. `hub` outlives the head.
[[nodiscard]] actors::head_observer observer_for(gateway::event_hub& hub);

/// Tells them what this process did to a job.
void publish(gateway::event_hub& hub, const std::string& job, job_news what);

} // namespace penstock::front
