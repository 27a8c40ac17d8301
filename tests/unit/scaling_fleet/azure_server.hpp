#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/time.hpp"
#include "tests/simulation/random.hpp"
#include "tests/unit/jobs/http_door.hpp"

namespace penstock::test {

/// How the stand-in for Azure behaves. May be changed while it runs, with `azure_server::change`.
struct azure_behaviour {
  std::chrono::seconds boot{60};    ///< from a new instance's creation until it runs
  std::chrono::seconds deletes{20}; ///< until a deleted instance is gone
  std::size_t page = 3;             ///< instances on a page of their list
  int available = 1'000;            ///< instances that there are machines for, those there are included
  int quota = 1'000;                ///< instances that the subscription may have
  bool tells_status = true;         ///< long operations are followed by Azure-AsyncOperation, else by Location
  bool provisioning_fails = false;  ///< new instances come to nothing
  std::chrono::seconds token_life{3'600};
  std::chrono::seconds ahead{0}; ///< of the machine's calendar, Azure's
  double faults = 0;             ///< of each kind: throttled, busy, conflicting, not heard, answer lost
};

/// Resource Manager with one scale set, the metadata service and Azure Monitor, on a port of the loopback, as their
/// documentation describes them (docs/azure.md). Time is virtual. Thread-safe.
class azure_server {
 public:
  explicit azure_server(azure_behaviour behaviour = {}, std::uint64_t seed = 1);

  static constexpr const char* resource_id =
      "/subscriptions/0b1f/resourceGroups/site/providers/Microsoft.Compute/virtualMachineScaleSets/workers";

  [[nodiscard]] std::string address() const { return "http://127.0.0.1:" + std::to_string(door_.port()); }

  void advance(std::chrono::milliseconds time);
  [[nodiscard]] core::time_point now();              ///< the clock of deadlines
  [[nodiscard]] std::chrono::sys_seconds calendar(); ///< the machine's, not Azure's
  void change(const std::function<void(azure_behaviour&)>& how);

  /// The next requests whose line holds `part` are answered so; "" is a connection that is reset.
  void answer_next(std::string part, std::vector<std::string> answers);

  /// Takes the instance away without a word, as Spot does.
  void vanish(const std::string& id);
  void forget_tokens();
  /// Somebody else's change, which gives the set a new entity tag.
  void set_capacity(int to);

  [[nodiscard]] int capacity();
  [[nodiscard]] int largest_capacity();
  [[nodiscard]] std::vector<std::string> running(); ///< ids
  [[nodiscard]] std::vector<std::string> present(); ///< ids of all that are not being deleted
  [[nodiscard]] bool is_protected(const std::string& id);
  [[nodiscard]] std::set<std::string> deleted_by_name();
  [[nodiscard]] std::set<std::string> deleted_by_choice(); ///< because the capacity fell below what was there
  [[nodiscard]] int count(const std::string& part);        ///< requests whose line holds it
  [[nodiscard]] int faults();

  // The metadata service's scheduled events.
  void schedule(const std::string& event, const std::string& kind, std::vector<std::string> resources,
                std::chrono::seconds notice);
  void start(const std::string& event);
  void withdraw(const std::string& event);
  [[nodiscard]] std::vector<std::string> approved(); ///< events, in the order of the requests

  [[nodiscard]] std::vector<nlohmann::json> metrics(); ///< bodies that Azure Monitor took

 private:
  using milliseconds = std::chrono::milliseconds;
  struct machine {
    bool failed = false;
    bool is_protected = false;
    milliseconds runs_at{0};
    std::optional<milliseconds> gone_at;
  };
  struct operation {
    milliseconds ends{0};
    std::string code; ///< why it fails, or empty
  };
  struct reply {
    int status = 200;
    std::string headers;
    std::string body;
  };

  std::optional<std::string> answer(const seen_request& request);
  reply route(const seen_request& request);
  reply metadata(const seen_request& request, const std::string& path);
  reply arm(const seen_request& request, const std::string& path);
  reply model() const;
  reply patch(const seen_request& request);
  reply list(const std::string& query);
  reply remove(const seen_request& request);
  reply protect(const seen_request& request, const std::string& id);
  reply follow(const std::string& id);
  reply take_metrics(const seen_request& request);
  reply begin(milliseconds takes, std::string code = {});
  std::optional<reply> fault();
  void settle();
  int staying() const;
  std::chrono::sys_seconds azure_calendar() const;

  std::mutex mutex_;
  azure_behaviour behaviour_;
  random draws_;
  milliseconds now_{0};
  int capacity_ = 0;
  int largest_capacity_ = 0;
  int etag_ = 1;
  int next_id_ = 0;
  int next_operation_ = 1;
  int next_token_ = 1;
  int incarnation_ = 1;
  int faults_ = 0;
  std::map<std::string, milliseconds> tokens_; ///< "audience token", and its end
  std::map<std::string, machine> machines_;
  std::map<std::string, operation> operations_;
  std::set<std::string> by_name_;
  std::set<std::string> by_choice_;
  std::map<std::string, nlohmann::json> events_;
  std::vector<std::string> approved_;
  std::vector<nlohmann::json> metrics_;
  std::vector<std::string> lines_;
  std::map<std::string, std::vector<std::string>> scripted_;
  http_door door_; ///< the last member: it calls the others
};

} // namespace penstock::test
