#include "scaling/fleet/exec.hpp"

#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "scaling/fleet/command.hpp"

namespace penstock::scaling {
namespace {

using nlohmann::json;

struct state_line {
  std::string_view name;
  instance_state state;
};
constexpr std::array states{
    state_line{"provisioning", instance_state::provisioning}, state_line{"running", instance_state::running},
    state_line{"deleting", instance_state::deleting}, state_line{"failed", instance_state::failed}};

core::expected<instance> read_instance(const json& entry) {
  instance out;
  out.id = entry.at("id").get<std::string>();
  out.worker = entry.value("worker", "");
  out.is_protected = entry.value("protected", false);
  const auto name = entry.value("state", "running");
  for (const auto& each : states) {
    if (each.name != name) continue;
    out.state = each.state;
    if (out.id.empty()) return core::fail(core::errc::corrupt, "an instance with an empty id");
    return out;
  }
  return core::fail(core::errc::corrupt, fmt::format("instance {}: the state \"{}\" is none of provisioning, running, "
                                                     "deleting, failed",
                                                     out.id, name));
}

core::expected<fleet_state> read_state(const std::string& text) {
  try {
    const auto body = json::parse(text);
    fleet_state out;
    out.target = body.at("target").get<int>();
    if (out.target < 0) return core::fail(core::errc::corrupt, "a target below 0");
    for (const auto& each : body.at("instances")) {
      auto read = read_instance(each);
      if (!read) return tl::unexpected{read.error()};
      out.instances.push_back(std::move(*read));
    }
    return out;
  } catch (const json::exception& wrong) {
    return core::fail(core::errc::corrupt, std::string{"its answer to observe: "} + wrong.what());
  }
}

class exec final : public fleet {
 public:
  explicit exec(exec_options options) : options_{std::move(options)} {}

  [[nodiscard]] std::string_view kind() const noexcept override { return "exec"; }

  core::expected<fleet_state> observe() override {
    const auto answer = run_command(options_.command, json{{"action", "observe"}}.dump(), options_.limit);
    if (!answer) return tl::unexpected{answer.error()};
    auto read = read_state(*answer);
    if (!read) return core::fail(options_.command.front(), read.error());
    return read;
  }

  core::expected<void> set_target(int instances) override {
    return call({{"action", "set_target"}, {"instances", instances}});
  }

  core::expected<void> retire(const std::vector<std::string>& ids) override {
    if (ids.empty()) return {};
    return call({{"action", "retire"}, {"ids", ids}});
  }

  core::expected<void> protect(const std::string& id, bool on) override {
    return call({{"action", "protect"}, {"id", id}, {"on", on}});
  }

 private:
  core::expected<void> call(const json& request) const {
    const auto answer = run_command(options_.command, request.dump(), options_.limit);
    if (!answer) return core::fail(request.at("action").get<std::string>(), answer.error());
    return {};
  }

  exec_options options_;
};

} // namespace

core::expected<void> exec_options::validate() const {
  if (command.empty() || command.front().empty()) {
    return core::fail(core::errc::bad_config, "exec.command: names no program");
  }
  if (limit.count() <= 0) return core::fail(core::errc::bad_config, "exec.limit: must be above 0");
  return {};
}

core::expected<fleet_ptr> open_exec(const exec_options& options) {
  if (auto valid = options.validate(); !valid) return tl::unexpected{valid.error()};
  return std::make_unique<exec>(options);
}

} // namespace penstock::scaling
