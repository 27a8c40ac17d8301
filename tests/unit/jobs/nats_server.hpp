#pragma once

#include <memory>
#include <string>

#include "tests/unit/jobs/scratch.hpp"
#include "tests/unit/jobs/server.hpp"

namespace penstock::test {

/// A single `nats-server` with JetStream on a free port, with a folder of its own.
class nats_server {
 public:
  explicit nats_server(const std::filesystem::path& program);

  /// The one that all tests share.
  static nats_server& shared(const std::filesystem::path& program);

  [[nodiscard]] const std::string& url() const { return url_; } ///< nats://127.0.0.1:PORT
  [[nodiscard]] std::string fresh_url();                        ///< with a name of its own

 private:
  scratch folder_;
  server process_;
  std::string url_;
  int names_ = 0;
};

} // namespace penstock::test
