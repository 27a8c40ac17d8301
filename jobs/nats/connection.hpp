#pragma once

#include <memory>
#include <nats/nats.h>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "jobs/nats/address.hpp"

namespace penstock::jobs::nats {

/// What came back, or came.
struct message {
  std::string data;
  std::string reply; ///< where an answer goes, or empty
  int status = 0;    ///< of a message that only says how things are (404: nothing there), or 0
};

/// An answer of JetStream's interface.
struct api_answer {
  nlohmann::json body;
  int error = 0;           ///< JetStream's own code, or 0
  std::string description; ///< of the error
};

/// A connection that comes back by itself. Requests that find no server, or no leader, are made again for a while, so
/// what they ask for may be done twice. Thread-safe.
class connection {
 public:
  [[nodiscard]] static core::expected<std::shared_ptr<connection>> open(const address& to);

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  using headers = std::vector<std::pair<std::string, std::string>>;

  /// Errors: `unavailable`, `timeout`.
  [[nodiscard]] core::expected<message> request(const std::string& subject, std::string_view data,
                                                const headers& with = {});

  /// A request whose answer is JSON. Errors of JetStream that trying again mends are waited for.
  [[nodiscard]] core::expected<api_answer> api(const std::string& subject, std::string_view data,
                                               const headers& with = {});

  /// One request, and the one message that comes for it from wherever; made once only.
  [[nodiscard]] core::expected<message> ask(const std::string& subject, std::string_view data);

 private:
  connection() = default;

  struct close {
    void operator()(natsConnection* handle) const {
      natsConnection_Close(handle);
      natsConnection_Destroy(handle);
    }
  };
  std::string place_;
  std::unique_ptr<natsConnection, close> handle_;
};

/// An error of JetStream that nothing here expects.
[[nodiscard]] tl::unexpected<core::error> refused(const std::string& what, const api_answer& answer);

} // namespace penstock::jobs::nats
