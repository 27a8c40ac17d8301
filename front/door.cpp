#include "front/door.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <spdlog/spdlog.h>
#include <utility>

#include "front/detect_door.hpp"
#include "front/errands.hpp"
#include "front/events.hpp"
#include "front/http_options.hpp"
#include "front/jobs/jobs_door.hpp"
#include "front/node_pipeline.hpp"
#include "front/state_door.hpp"
#include "front/streams_door.hpp"
#include "gateway/event_hub.hpp"
#include "gateway/server.hpp"
#include "jobs/stores.hpp"

namespace penstock::front {

namespace {

constexpr std::size_t helper_threads = 2;
constexpr std::size_t most_errands = 256;

class process final : public gateway::node_api {
 public:
  process(actors::node& node, std::string role, std::string name, std::function<void()> drain)
      : node_{node}, self_{{}, {{"role", std::move(role)}, {"name", std::move(name)}}}, drain_{std::move(drain)} {}

  std::string metrics() override { return node_.metrics().expose(); }
  bool healthy() override { return !node_.report().failure.has_value(); }
  bool ready() override { return node_.ready(); }
  std::vector<gateway::target_view> targets() override {
    std::vector all{self_};
    for (const auto& worker : node_.report().workers)
      if (!worker.metrics.empty()) all.push_back({worker.metrics, {{"role", worker.role}, {"name", worker.name}}});
    return all;
  }
  void drain(gateway::completion<std::monostate> done) override {
    drain_();
    done(std::monostate{});
  }
  void drain_worker(const std::string& name, gateway::completion<gateway::change> done) override {
    done(node_.drain_worker(name) ? gateway::change::done : gateway::change::no_such);
  }

 private:
  actors::node& node_;
  gateway::target_view self_;
  std::function<void()> drain_;
};

/// Durable jobs: what keeps them, what works on them here, and what answers for them.
class job_house {
 public:
  job_house(actors::node& node, const topology::config& topology, std::shared_ptr<jobs::job_queue> queue,
            const std::string& name, gateway::event_hub& events)
      : work_{node}, door_{queue, board_, node.metrics()}, runner_{queue, work_, board_, node.metrics(),
                                                                   runner_with(node, topology, name)},
        listener_{board_->listen([&events](const std::string& id, job_news what) { publish(events, id, what); })} {}
  ~job_house() { board_->leave(listener_); }
  job_house(const job_house&) = delete;
  job_house& operator=(const job_house&) = delete;

  [[nodiscard]] jobs_door& door() noexcept { return door_; }
  void stop() { runner_.stop(); }

 private:
  static job_runner_options runner_with(const actors::node& node, const topology::config& topology,
                                        const std::string& name) {
    auto options = runner_options_of(*topology.jobs);
    options.worker = name;
    options.sample_fps = topology.stages.decode.sample_fps;
    options.labels = std::make_shared<const std::vector<std::string>>(node.labels());
    return options;
  }

  std::shared_ptr<job_board> board_ = std::make_shared<job_board>();
  node_pipeline work_;
  jobs_door door_;
  job_runner runner_;
  std::uint64_t listener_;
};

} // namespace

struct door::impl {
  impl(const topology::config& config, const topology::node_config& role_with)
      : topology{config}, role{role_with.role}, place{fmt::format("nodes.{}.http", role)}, options{http_options_of(
                                                                                               config,
                                                                                               role_with.http)} {}

  const topology::config& topology;
  std::string role;
  std::string place; ///< in the topology
  gateway::options options;
  gateway::event_hub events;

  // Behind the node.
  struct parts {
    parts(actors::node& node, const topology::config& topology, const std::string& role, const std::string& name,
          const std::string& version, std::function<void()> drain)
        : health{node, role, name, std::move(drain)}, detect{node, helpers}, streams{node, topology, helpers},
          state{node, topology, version} {}

    errands helpers{helper_threads, most_errands};
    process health;
    detect_door detect;
    streams_door streams;
    state_door state;
    std::optional<job_house> jobs;
  };
  std::optional<parts> behind;
  std::unique_ptr<gateway::server> server;
};

door::door(const topology::config& topology, const topology::node_config& role)
    : impl_{std::make_unique<impl>(topology, role)} {}

door::~door() = default;

actors::node_door door::for_node() {
  const auto& topology = impl_->topology;
  return {topology.streams.empty() || topology.jobs.has_value(), impl_->options.preview.fps,
          observer_for(impl_->events)};
}

core::expected<void> door::open(actors::node& node, const std::string& name, const std::string& version,
                                std::function<void()> drain) {
  std::shared_ptr<jobs::job_queue> queue;
  if (const auto& config = impl_->topology.jobs) {
    const auto rules = rules_of(*config);
    if (auto good = rules.validate(); !good) return core::fail("jobs", good.error());
    auto stores = jobs::open_stores(*config);
    if (!stores) return core::fail("jobs", stores.error());
    queue = std::make_shared<jobs::job_queue>(std::move(*stores), rules);
  }
  auto& behind = impl_->behind.emplace(node, impl_->topology, impl_->role, name, version, std::move(drain));
  if (queue) behind.jobs.emplace(node, impl_->topology, std::move(queue), name, impl_->events);
  gateway::api api;
  api.node = &behind.health;
  api.detect = &behind.detect;
  if (behind.jobs) api.jobs = &behind.jobs->door();
  api.streams = &behind.streams;
  api.state = &behind.state;
  api.events = &impl_->events;
  auto listening = gateway::server::listen(impl_->options, api, node.metrics());
  if (!listening) return core::fail(impl_->place, listening.error());
  impl_->server = std::move(*listening);
  spdlog::info("the door is open: {}", url());
  return {};
}

std::string door::url() const {
  const auto& o = impl_->options;
  auto host = o.address.substr(0, o.address.rfind(':'));
  if (host == "0.0.0.0" || host == "[::]") host = "localhost";
  return fmt::format("{}://{}:{}", o.tls.on() ? "https" : "http", host, impl_->server->port());
}

void door::stop_jobs() {
  if (impl_->behind && impl_->behind->jobs) impl_->behind->jobs->stop();
}

void door::close(std::chrono::milliseconds grace) {
  if (impl_->server) impl_->server->drain(grace);
  impl_->server.reset();
  impl_->behind.reset();
}

const topology::node_config* role_with_door(const topology::config& topology, const std::string& role) {
  const auto at = std::ranges::find_if(topology.nodes, [&](const topology::node_config& each) {
    return !each.http.empty() && (role.empty() || each.role == role);
  });
  return at == topology.nodes.end() ? nullptr : &*at;
}

} // namespace penstock::front
