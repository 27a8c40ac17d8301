#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <thread>

#include "jobs/nats/address.hpp"
#include "jobs/nats/connection.hpp"
#include "jobs/nats/stores.hpp"
#include "tests/simulation/random.hpp"
#include "tests/unit/jobs/backends.hpp"
#include "tests/unit/jobs/nats_server.hpp"
#include "tests/unit/jobs/worker.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using jobs::nats::parse_address;
using test::take;

TEST_CASE("an address of NATS names servers and settings") {
  const auto plain = take(parse_address("nats://127.0.0.1:4222"));
  CHECK(plain.servers == std::vector<std::string>{"nats://127.0.0.1:4222"});
  CHECK(plain.name == "penstock");
  CHECK(plain.replicas == 1);
  const auto full = take(
      parse_address("nats://u:p@a:1,tls://b:2?name=site-7&replicas=3&ack_wait=5&credentials=/etc/penstock/user.creds"));
  CHECK(full.servers == std::vector<std::string>{"nats://u:p@a:1", "tls://b:2"});
  CHECK(full.name == "site-7");
  CHECK(full.replicas == 3);
  CHECK(full.ack_wait == 5s);
  CHECK(full.credentials == "/etc/penstock/user.creds");
  for (const auto* url : {"", "?", "127.0.0.1:4222", "http://a", "nats://", "nats://a,,nats://b", "nats://a?x=1",
                          "nats://a?name=", "nats://a?name=a.b", "nats://a?name=a>", "nats://a?replicas=2",
                          "nats://a?replicas=3x", "nats://a?ack_wait=0", "nats://a?credentials="}) {
    INFO(url);
    const auto read = parse_address(url);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::bad_config);
  }
}

TEST_CASE("a queue without its server is an error that tells no password") {
  const auto opened = jobs::nats::open("nats://user:secret@127.0.0.1:" + std::to_string(test::free_port()));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == core::errc::unavailable);
  CHECK(opened.error().message.find("secret") == std::string::npos);
}

namespace {

/// Three servers that keep everything three times; any of them can be killed and started again.
class cluster {
 public:
  explicit cluster(std::filesystem::path program) : program_{std::move(program)} {
    for (auto& node : nodes_) node = {test::free_port(), test::free_port(), {}};
    for (std::size_t i = 0; i < nodes_.size(); ++i) start(i);
  }

  void start(std::size_t i) {
    std::string routes;
    for (const auto& other : nodes_) routes += (routes.empty() ? "" : ",") + at(other.route_port);
    auto& node = nodes_[i];
    const auto name = "n" + std::to_string(i);
    node.process = test::server{{program_.string(), "-a", "127.0.0.1", "-p", std::to_string(node.port), "-js", "-sd",
                                 folder_.path(name).string(), "-n", name, "--cluster_name", "test", "--cluster",
                                 at(node.route_port), "--routes", routes},
                                folder_.path("log" + std::to_string(i))};
    REQUIRE(test::wait_until([&] { return test::answers(node.port); }, 30s));
  }

  /// Whether all servers have all of the ledger again. Killing the next one before is more than three replicas promise.
  /// `/healthz` would ask for more: a consumer of the hints may stay behind for ever (2.9.10), which harms nobody.
  [[nodiscard]] bool is_current(jobs::nats::connection& over) {
    const auto answer = over.api("$JS.API.STREAM.INFO.KV_cluster", "");
    state_ = answer ? answer->body["cluster"].dump() : answer.error().message;
    if (!answer || !answer->body["cluster"]["replicas"].is_array()) return false;
    const auto& replicas = answer->body["cluster"]["replicas"];
    return replicas.size() == nodes_.size() - 1 && std::all_of(replicas.begin(), replicas.end(), [](const auto& each) {
             return each.value("current", false) && !each.value("offline", false) && each.value("lag", 0) == 0;
           });
  }
  [[nodiscard]] const std::string& state() const { return state_; }

  void kill(std::size_t i) { nodes_[i].process.stop(SIGKILL); }

  [[nodiscard]] std::string url() const {
    std::string out;
    for (const auto& node : nodes_) out += (out.empty() ? "" : ",") + at(node.port);
    return out + "?replicas=3&name=cluster&ack_wait=2";
  }

 private:
  struct machine {
    int port = 0;
    int route_port = 0;
    test::server process;
  };

  static std::string at(int port) { return "nats://127.0.0.1:" + std::to_string(port); }

  std::filesystem::path program_;
  test::scratch folder_;
  std::array<machine, 3> nodes_;
  std::string state_;
};

} // namespace

TEST_CASE("with three servers, of which one after the other is killed, each job is done once") {
  const auto program = test::find_program("nats-server");
  if (!program) {
    WARN("skipped: no nats-server here; install Debian's package nats-server");
    return;
  }
  cluster servers{*program};
  test::scratch folder;
  // More of both is a longer way to the same end: PENSTOCK_NATS_KILLS, PENSTOCK_NATS_SEED.
  const auto from_environment = [](const char* name, int otherwise) {
    const auto* text = std::getenv(name);
    return text != nullptr ? std::stoi(text) : otherwise;
  };
  const auto kills = from_environment("PENSTOCK_NATS_KILLS", 3);
  test::random draws{static_cast<std::uint64_t>(from_environment("PENSTOCK_NATS_SEED", 31))};
  topology::jobs_config config;
  config.queue = {topology::queue_kind::nats, {}, servers.url()};
  config.blobs.path = folder.path("blobs");
  std::optional<jobs::job_stores> stores;
  // A cluster has no leader yet when its servers first answer.
  REQUIRE(test::wait_until(
      [&] {
        auto opened = jobs::open_stores(config);
        if (opened) stores = std::move(*opened);
        return opened.has_value();
      },
      60s));
  jobs::job_queue queue{*stores, test::quick_rules()};
  std::map<std::string, std::string> wanted;
  // No answer may mean that it was accepted: the key makes the repetition harmless.
  const auto put = [&](int i) {
    jobs::job_request request;
    request.id = queue.new_id();
    request.input_blob = jobs::input_name(request.id);
    request.idempotency_key = "job " + std::to_string(i);
    const std::string input(static_cast<std::size_t>(draws.between(1, 200)), 'x');
    std::string last = "no answer yet";
    const auto accepted = test::wait_until(
        [&] {
          // Each time, as a client does: an input that no job took up for long is removed.
          take(put_blob(queue.blobs(), request.input_blob, test::bytes_of(input)));
          const auto answer = queue.put(request);
          if (answer)
            wanted[answer->record.id] = test::expected_result(input);
          else
            last = answer.error().message;
          return answer.has_value();
        },
        60s);
    INFO("job " << i << ": " << last);
    REQUIRE(accepted);
  };
  std::vector<test::worker_process> workers;
  const auto over = take(jobs::nats::connection::open(take(parse_address(servers.url()))));
  constexpr auto lease = 10s; // longer than a cluster takes for a new leader
  for (int i = 0; i < 20; ++i) put(i);
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back(config, folder.path("done"), "w" + std::to_string(i), test::on_error::go_on, lease);
  }
  for (int i = 0; i < kills; ++i) {
    const auto victim = static_cast<std::size_t>(draws.between(0, 2));
    servers.kill(victim);
    for (int j = 0; j < 20; ++j) put(20 + 20 * i + j); // under way without it
    servers.start(victim);
    const auto current = test::wait_until([&] { return servers.is_current(*over); }, 60s);
    INFO("after kill " << i + 1 << ", of server " << victim << ": " << servers.state());
    REQUIRE(current);
    for (auto& worker : workers) {
      if (worker.is_running()) continue; // else it found nothing left to do
      worker = test::worker_process{config, folder.path("done"), "again", test::on_error::go_on, lease};
    }
  }
  workers.emplace_back(config, folder.path("done"), "last", test::on_error::go_on, lease);
  for (auto& worker : workers) CHECK(worker.wait(200s) == 0);
  for (const auto& [id, result] : wanted) {
    INFO(id);
    const auto record = take(queue.get(id));
    if (!record) {
      FAIL_CHECK("the record is lost");
      continue;
    }
    INFO(encode(*record));
    CHECK(record->state == jobs::job_state::done);
    if (record->state != jobs::job_state::done) continue;
    CHECK(take(get_blob(queue.blobs(), record->result_blob, 1 << 20)) == result);
  }
  CHECK(wanted.size() == static_cast<std::size_t>(20 * (kills + 1)));
}
