#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "gateway/api.hpp"
#include "gateway/http/message.hpp"

namespace penstock::gateway::routes {

/// The documents of the interface; `schemas` describes them.
[[nodiscard]] nlohmann::ordered_json to_json(const detect_reply& r, const std::string& request_id);
[[nodiscard]] nlohmann::ordered_json to_json(const job_view& j);
[[nodiscard]] nlohmann::ordered_json to_json(const job_page& p);
[[nodiscard]] nlohmann::ordered_json to_json(const stream_view& s);
[[nodiscard]] nlohmann::ordered_json to_json(const account_view& a);
[[nodiscard]] nlohmann::ordered_json to_json(const worker_view& w);
[[nodiscard]] nlohmann::ordered_json to_json(const stage_view& s);
[[nodiscard]] nlohmann::ordered_json to_json(const state_view& s);

/// components/schemas of the OpenAPI document.
[[nodiscard]] nlohmann::ordered_json schemas();

/// One line of JSON. Text that is not UTF-8 is mended rather than refused.
[[nodiscard]] std::string text_of(const nlohmann::ordered_json& value);

/// A reply in JSON, or in MessagePack if the client prefers that.
[[nodiscard]] http::response reply_with(int status, const nlohmann::ordered_json& value, const http::request& asked);

/// Whether the header Accept names application/msgpack.
[[nodiscard]] bool wants_msgpack(const http::request& asked);

} // namespace penstock::gateway::routes
