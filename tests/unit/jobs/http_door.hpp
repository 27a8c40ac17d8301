#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/simulation/random.hpp"

namespace penstock::test {

struct seen_request {
  std::string line; ///< "GET /path HTTP/1.1"
  std::string head; ///< all of it, with the line
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const; ///< empty where there is none
};

/// A small HTTP server on a free port of the loopback: one request a connection, whose answer (the raw bytes) a
/// function gives; nullopt resets the connection.
class http_door {
 public:
  using answer_function = std::function<std::optional<std::string>(const seen_request&)>;

  explicit http_door(answer_function answer);
  http_door(const http_door&) = delete;
  http_door& operator=(const http_door&) = delete;
  ~http_door();

  [[nodiscard]] int port() const { return port_; }

 private:
  void run();
  void serve(int connection);

  answer_function answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ends_{false};
  std::vector<std::thread> serving_;
  std::thread thread_;
};

/// An answer of HTTP/1.1.
[[nodiscard]] std::string http_answer(int status, const std::string& headers, const std::string& body);

/// Passes requests on to a port of the loopback, and answers back, but for faults from a seed: connections that are
/// reset before or after the request was passed on, and 503 with `Retry-After`.
class faulty_relay {
 public:
  faulty_relay(int to, std::uint64_t seed, double rate);

  [[nodiscard]] int port() const { return door_->port(); }
  [[nodiscard]] int faults() const { return faults_; }

 private:
  std::optional<std::string> pass(const seen_request& request);

  int to_;
  double rate_;
  std::mutex mutex_;
  random draws_;
  std::atomic<int> faults_{0};
  std::unique_ptr<http_door> door_; ///< the last member: it calls the others
};

} // namespace penstock::test
