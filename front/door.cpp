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
#include "front/state_door.hpp"
#include "front/streams_door.hpp"
#include "gateway/event_hub.hpp"
#include "gateway/server.hpp"

namespace penstock::front {

namespace {

constexpr std::size_t helper_threads = 2;
constexpr std::size_t most_errands = 256;

class process final : public gateway::node_api {
 public:
  process(actors::node& node, std::function<void()> drain) : node_{node}, drain_{std::move(drain)} {}

  std::string metrics() override { return node_.metrics().expose(); }
  bool healthy() override { return !node_.report().failure.has_value(); }
  bool ready() override { return node_.ready(); }
  void drain(gateway::completion<std::monostate> done) override {
    drain_();
    done(std::monostate{});
  }

 private:
  actors::node& node_;
  std::function<void()> drain_;
};

} // namespace

struct door::impl {
  impl(const topology::config& config, const topology::node_config& role)
      : topology{config}, place{fmt::format("nodes.{}.http", role.role)}, options{http_options_of(config, role.http)} {}

  const topology::config& topology;
  std::string place; ///< in the topology
  gateway::options options;
  gateway::event_hub events;

  // Behind the node.
  struct parts {
    parts(actors::node& node, const topology::config& topology, const std::string& version, std::function<void()> drain)
        : health{node, std::move(drain)}, detect{node, helpers}, streams{node, topology, helpers}, state{node, topology,
                                                                                                         version} {}

    errands helpers{helper_threads, most_errands};
    process health;
    detect_door detect;
    streams_door streams;
    state_door state;
  };
  std::optional<parts> behind;
  std::unique_ptr<gateway::server> server;
};

door::door(const topology::config& topology, const topology::node_config& role)
    : impl_{std::make_unique<impl>(topology, role)} {}

door::~door() = default;

actors::node_door door::for_node() {
  return {impl_->topology.streams.empty(), impl_->options.preview.fps, observer_for(impl_->events)};
}

core::expected<void> door::open(actors::node& node, const std::string& version, std::function<void()> drain) {
  auto& behind = impl_->behind.emplace(node, impl_->topology, version, std::move(drain));
  gateway::api api;
  api.node = &behind.health;
  api.detect = &behind.detect;
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
