#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/error.hpp"
#include "jobs/azure/account.hpp"
#include "jobs/azure/credential.hpp"
#include "jobs/azure/http.hpp"
#include "jobs/azure/retry.hpp"

namespace penstock::jobs::azure {

/// One of an account's services (Blob or Queue): addresses, credential, and requests that are made again while it is
/// busy or away. What a request asks for may thus be done twice. Thread-safe.
class service {
 public:
  service(std::string endpoint, std::shared_ptr<credential> let_in, std::shared_ptr<http_client> http,
          retry_rules rules = {});

  /// Makes a request for `path` (which begins with `/`, and may have a query). Honours `Retry-After`. Answers with any
  /// status but those that trying again may mend. Errors: `timeout`, `unavailable`, `bad_config` (not let in: 401,
  /// 403).
  [[nodiscard]] core::expected<http_response> call(std::string method, const std::string& path,
                                                   std::vector<std::pair<std::string, std::string>> headers = {},
                                                   std::string body = {});

  /// Makes a container (`restype=container`) or queue unless it is there.
  [[nodiscard]] core::expected<void> make(const std::string& path);

 private:
  std::string endpoint_;
  std::shared_ptr<credential> let_in_;
  std::shared_ptr<http_client> http_;
  retry_rules rules_;
};

/// An answer that nothing expects, as an error: its status and Azure's own code.
[[nodiscard]] tl::unexpected<core::error> refused(std::string_view what, const http_response& answer);

/// Where lists of Azure go on: its own mark for each last name that a list ended with. Forgetting one costs time only.
class list_marks {
 public:
  [[nodiscard]] std::string find(std::string_view prefix, std::string_view after);
  void keep(std::string_view prefix, std::string_view last, std::string mark);

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> marks_;
};

/// Names below a prefix in a container, and what the list says of each.
struct listed_blob {
  std::string name;
  std::uint64_t bytes = 0;
  std::int64_t modified_ms = 0;
};
struct listed_page {
  std::vector<listed_blob> blobs;
  bool last = true;
};
[[nodiscard]] core::expected<listed_page> list_container(service& on, list_marks& marks, const std::string& container,
                                                         std::string_view prefix, std::string_view after,
                                                         std::size_t limit);

} // namespace penstock::jobs::azure
