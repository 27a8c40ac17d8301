#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/http/responder.hpp"
#include "gateway/options.hpp"

namespace penstock::gateway::http {

enum class body_rule : std::uint8_t {
  none,   ///< what is sent all the same is passed over
  whole,  ///< read before the handler is called
  pieces, ///< the handler says where it goes (`responder::receive`)
};

/// A parameter for the OpenAPI document; those of the pattern are described there of themselves.
struct parameter_doc {
  std::string name;
  std::string in;     ///< query or header
  std::string schema; ///< JSON
  std::string description;
};

struct reply_doc {
  int status = 200;
  std::string description;
  std::vector<std::string> content_types; ///< none: no body
  std::string schema;                     ///< name in components/schemas; empty: plain bytes or text
};

/// One entry of the table: what is matched, checked, done and documented for a path and method.
struct route {
  std::string method{};
  std::string pattern{};        ///< segments, `{name}` stands for a plain name
  std::optional<scope> needs{}; ///< none: open to everybody
  body_rule body = body_rule::none;
  std::uint64_t body_bytes = 0; ///< at most
  std::string lacks{};          ///< why nothing is attached, for 501; empty where something is
  /// Looked at before the body is read: a refusal, or nothing.
  std::function<std::optional<response>(const request&)> before{};
  std::function<void(responder_ptr)> handle{};

  std::string operation{}; ///< operationId
  std::string summary{};
  std::vector<parameter_doc> parameters{};
  std::vector<std::string> body_types{}; ///< of the request
  std::string body_schema{};
  std::vector<reply_doc> replies{}; ///< without those that the door gives for every route
};

/// What became of a path and a method.
struct match {
  const route* found = nullptr;
  std::map<std::string, std::string, std::less<>> parameters;
  std::string allowed;   ///< methods of the path, where it is known but the method is not
  bool bad_name = false; ///< a name in the path has characters that no name has
};

/// Finds routes by method and path. HEAD is served by GET.
[[nodiscard]] match find_route(const std::vector<route>& table, std::string_view method, std::string_view path);

} // namespace penstock::gateway::http
