#pragma once

#include <functional>
#include <map>
#include <string>

#include "jobs/job_queue.hpp"
#include "tests/simulation/random.hpp"

namespace penstock::test {

/// What a process does when it dies between two steps.
struct crashed {};

struct fault_rates {
  double unavailable = 0;  ///< a request fails and was not made
  double lost_answer = 0;  ///< a request was made and fails
  double repeated = 0;     ///< a write was made, its answer was lost, and its repetition is refused
  double crash = 0;        ///< the process dies before or after a request
  double interleave = 0;   ///< somebody else does something before a request
  double lost_hint = 0;    ///< a push that comes to nothing
  double doubled_hint = 0; ///< a push that is made twice
  double early_hint = 0;   ///< a hint that is shown although it is invisible
};

/// Stores in memory, shared by any number of queues of one thread, with virtual time and faults from a seed. Watches
/// every write of a record: what no queue may ever do is told to `violation`.
class memory_world {
 public:
  explicit memory_world(std::uint64_t seed) : draws{seed} {}

  [[nodiscard]] jobs::job_stores stores();
  [[nodiscard]] jobs::wall_clock clock() {
    return [this] { return now; };
  }

  /// Called around every request: may throw `crashed`, or run something else first.
  void before();
  [[nodiscard]] bool refuses() { return draws.chance(rates.unavailable); }
  void after();

  void watch(const std::string& key, const std::string* from, const std::string* to);
  void violation(std::string what) { violations.push_back(std::move(what)); }

  struct stored {
    std::string value;
    std::uint64_t version = 0;
  };
  struct told {
    std::string job;
    jobs::wall_time visible;
    std::uint64_t delivery = 0;
  };
  struct blob {
    std::string content;
    jobs::wall_time modified;
  };

  random draws;
  jobs::wall_time now{std::chrono::milliseconds{1'700'000'000'000}};
  fault_rates rates;
  bool hints_are_away = false;
  std::function<void()> somebody_else;
  std::map<std::string, stored> entries;
  std::map<std::uint64_t, told> hints;
  std::map<std::string, blob> blobs;
  std::uint64_t versions = 0;
  std::uint64_t hint_numbers = 0;
  std::vector<std::string> violations;
  std::map<std::string, int> dones; ///< how often each job became done
};

} // namespace penstock::test
