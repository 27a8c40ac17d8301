#include "actors/stage_directory.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace penstock::actors {

namespace {

constexpr std::array<std::string_view, 4> work{"decode", "preprocess", "inference", "postprocess"};

/// Whether the second goes on where the first ends.
bool fit(const std::vector<std::string>& first, const std::vector<std::string>& second) {
  auto both = first;
  both.insert(both.end(), second.begin(), second.end());
  return std::ranges::equal(both, work);
}

} // namespace

bool is_behind_link(const transport::hello& hello) {
  return !hello.stages.empty() && std::ranges::find(hello.stages, work.front()) == hello.stages.end();
}

bool is_whole(const std::vector<std::string>& stages) { return std::ranges::equal(stages, work); }

void stage_directory::add(transport::peer_id peer, const transport::hello& hello, core::worker_id machine) {
  nodes_[peer] = {hello.name, hello.role, hello.listen, hello.stages, machine, hello.metrics};
  roles_[hello.role] = hello.stages;
}

stage_directory::node* stage_directory::find(transport::peer_id peer) {
  const auto at = nodes_.find(peer);
  return at == nodes_.end() ? nullptr : &at->second;
}

std::optional<transport::peer_id> stage_directory::named(const std::string& name) const {
  const auto at = std::ranges::find_if(nodes_, [&](const auto& entry) { return entry.second.name == name; });
  return at == nodes_.end() ? std::nullopt : std::optional{at->first};
}

std::optional<stage_directory::node> stage_directory::remove(transport::peer_id peer) {
  auto taken = nodes_.extract(peer);
  if (taken.empty()) return std::nullopt;
  return std::move(taken.mapped());
}

std::vector<transport::peer_id> stage_directory::age(unsigned most) {
  std::vector<transport::peer_id> silent;
  for (auto& [peer, n] : nodes_)
    if (++n.silent > most) silent.push_back(peer);
  return silent;
}

std::vector<transport::directory> stage_directory::for_sender(const std::vector<std::string>& stages) const {
  std::vector<transport::directory> out;
  for (const auto& [role, of] : roles_) {
    if (!fit(stages, of)) continue;
    auto& entry = out.emplace_back(transport::directory{role, {}});
    for (const auto& [peer, n] : nodes_)
      if (n.role == role && !n.leaving) entry.addresses.push_back(n.address);
  }
  return out;
}

bool stage_directory::serves(const std::vector<std::string>& stages) const {
  return std::ranges::any_of(
      nodes_, [&](const auto& entry) { return !entry.second.leaving && fit(stages, entry.second.stages); });
}

} // namespace penstock::actors
