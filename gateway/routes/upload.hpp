#pragma once

#include <memory>

#include "gateway/routes/context.hpp"

namespace penstock::gateway::routes {

/// Takes the body of POST /v1/jobs: looks at its first bytes, opens the job's sink with what they say, and passes all
/// of it on, piece by piece. Answers the client.
void receive_upload(const context& with, const http::responder_ptr& client, job_request request);

/// 202 with the job, or 200 for one that an earlier request made.
[[nodiscard]] http::response reply_with_job(const job_created& made, const http::request& asked);

} // namespace penstock::gateway::routes
