#include "topology/check_nodes.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "topology/cut.hpp"
#include "topology/spelling.hpp"

namespace penstock::topology {
namespace {

constexpr std::array<std::pair<stage, std::string_view>, 6> all_stages{{{stage::source, "source"},
                                                                        {stage::decode, "decode"},
                                                                        {stage::preprocess, "preprocess"},
                                                                        {stage::inference, "inference"},
                                                                        {stage::postprocess, "postprocess"},
                                                                        {stage::collector, "collector"}}};

bool runs(const node_config& n, stage s) { return std::find(n.stages.begin(), n.stages.end(), s) != n.stages.end(); }

void check_role(const node_config& n, bool somebody_listens, const findings& find) {
  const auto path = "nodes." + n.role;
  if (n.stages.empty()) find.error(path + ".stages", "has no stage; allowed: at least one");
  for (const auto& [s, word] : all_stages) {
    if (std::count(n.stages.begin(), n.stages.end(), s) > 1) {
      find.error(path + ".stages", fmt::format("'{}' stands twice", word));
    }
  }
  if (runs(n, stage::source) != runs(n, stage::collector)) {
    find.error(path + ".stages", "has one of source and collector; allowed: both or none, since the head keeps every "
                                 "segment until its results are there");
  }
  if (n.scale.min > n.scale.max) find.error(path + ".scale", "min is larger than max");
  if (runs(n, stage::source) && n.scale.max > 1) {
    find.error(path + ".scale.max", fmt::format("found '{}' for the role with source; allowed: 1", n.scale.max));
  }
  if (!n.dial.empty() && !somebody_listens) find.error(path + ".dial", "no role has listen, so nothing answers");
}

/// Who does which part of the work, and who passes it on to whom.
void check_cut(const config& c, const findings& find) {
  const auto with = [&](part p) { return std::ranges::find(c.nodes, p, part_of); };
  for (const auto& n : c.nodes) {
    const auto path = "nodes." + n.role;
    const auto p = part_of(n);
    const bool head = runs(n, stage::source);
    if (p == part::other || (head && p != part::none && p != part::whole)) {
      find.error(path + ".stages",
                 head
                     ? "has a part of the work beside source; allowed: all of decode, preprocess, inference and "
                       "postprocess, or none of it"
                     : "cannot do this part of the work; allowed: [decode, preprocess, inference, postprocess] in one "
                       "role, or a cut before preprocess ([decode] and [preprocess, inference, postprocess], frames on "
                       "the link) or before inference ([decode, preprocess] and [inference, postprocess], tensors on "
                       "the link)");
      continue;
    }
    const auto other = counterpart(p);
    if (other == part::none) continue;
    if (with(other) == c.nodes.end()) {
      find.error(path + ".stages",
                 fmt::format("{} role with stages [{}]; one is needed beside this one",
                             decodes(p) ? "what this role sends is taken by no" : "this role is sent nothing by any",
                             stages_of(other)));
    } else if (takes_items(p) && n.listen.empty()) {
      find.error(path + ".listen", fmt::format("is missing; the machines of {} connect to it", with(other)->role));
    }
    if (decodes(p) && c.stages.decode.device == device::cuda) {
      find.error("stages.decode.device", fmt::format("found 'cuda', but frames of {} leave the machine, and those are "
                                                     "decoded on the CPU; allowed: auto, cpu",
                                                     n.role));
    }
  }
}

} // namespace

void check_nodes(const config& c, const findings& find) {
  if (c.nodes.empty()) return;
  const auto listens = std::any_of(c.nodes.begin(), c.nodes.end(), [](const auto& n) { return !n.listen.empty(); });
  for (const auto& n : c.nodes) check_role(n, listens, find);
  std::vector<std::string> missing;
  for (const auto& [s, word] : all_stages) {
    const auto who = std::count_if(c.nodes.begin(), c.nodes.end(), [s = s](const auto& n) { return runs(n, s); });
    if (who == 0) missing.emplace_back(word);
    if (who > 1 && s == stage::source) find.error("nodes", "several roles have source; allowed: one");
  }
  if (!missing.empty())
    find.error("nodes", "no role runs " + enumerate(missing));
  else
    check_cut(c, find);
  for (const auto& n : c.nodes) {
    if (c.nodes.size() > 1 && n.dial.empty() && n.listen.empty()) {
      find.error("nodes." + n.role, "has neither listen nor dial, so no other role reaches it");
    }
  }
}

} // namespace penstock::topology
