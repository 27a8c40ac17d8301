#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "topology/graph.hpp"

namespace penstock::topology {
namespace {

/// How many columns of a terminal a text takes: UTF-8 continuation bytes take none.
std::size_t width(std::string_view s) {
  return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & '\xc0') != '\x80'; }));
}

std::string pad(std::string_view s, std::size_t columns) {
  return std::string{s} + std::string(columns - std::min(columns, width(s)), ' ');
}

std::string replace_all(std::string_view s, std::string_view special, std::string_view (*replacement)(char)) {
  std::string out;
  for (const auto c : s) {
    if (special.find(c) == std::string_view::npos) {
      out += c;
    } else {
      out += replacement(c);
    }
  }
  return out;
}

std::string dot_text(std::string_view s) {
  return replace_all(s, "\"\\\n", [](char c) -> std::string_view {
    return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : "\\n";
  });
}

std::string mermaid_text(std::string_view s) {
  return replace_all(s, "\"<>#\n", [](char c) -> std::string_view {
    return c == '"' ? "#quot;" : c == '<' ? "#lt;" : c == '>' ? "#gt;" : c == '#' ? "#35;" : " ";
  });
}

std::string text(const graph& g) {
  std::size_t titles = 0;
  std::size_t roles = 0;
  for (const auto& n : g.nodes) {
    titles = std::max(titles, width(n.title));
    roles = std::max(roles, width(n.role));
  }
  std::string out = g.name + "\n\n";
  for (std::size_t i = 0; i < g.nodes.size(); ++i) {
    const auto& n = g.nodes[i];
    if (i > 0 && n.rank != g.nodes[i - 1].rank) {
      const auto e = std::find_if(g.edges.begin(), g.edges.end(), [&](const graph_edge& x) { return x.to == i; });
      const auto margin = std::string(roles > 0 ? roles + 2 : 0, ' ');
      if (e != g.edges.end()) out += fmt::format("  {}{} {}\n", margin, e->remote ? "║" : "│", e->label);
    }
    out += "  ";
    if (roles > 0) out += pad(n.role, roles + 2);
    out += fmt::format("{}  {}\n", pad(n.title, titles), fmt::join(n.details, " · "));
  }
  return out;
}

/// Calls `open`, the nodes, and `close` for every role.
template <class Open, class Node, class Close>
void by_role(const graph& g, Open open, Node node, Close close) {
  std::vector<std::string> roles;
  for (const auto& n : g.nodes) {
    if (std::find(roles.begin(), roles.end(), n.role) == roles.end()) roles.push_back(n.role);
  }
  for (std::size_t i = 0; i < roles.size(); ++i) {
    if (!roles[i].empty()) open(i, roles[i]);
    for (const auto& n : g.nodes) {
      if (n.role == roles[i]) node(n);
    }
    if (!roles[i].empty()) close();
  }
}

std::string dot(const graph& g) {
  auto out = fmt::format("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans\"];\n",
                         dot_text(g.name));
  by_role(
      g,
      [&](std::size_t i, const std::string& role) {
        out += fmt::format("  subgraph cluster_{} {{\n  label=\"{}\";\n", i, dot_text(role));
      },
      [&](const graph_node& n) {
        auto label = dot_text(n.title);
        for (const auto& d : n.details) label += "\\n" + dot_text(d);
        out += fmt::format("  {} [label=\"{}\"];\n", n.id, label);
      },
      [&] { out += "  }\n"; });
  for (const auto& e : g.edges) {
    out += fmt::format("  {} -> {} [label=\"{}\"{}];\n", g.nodes[e.from].id, g.nodes[e.to].id, dot_text(e.label),
                       e.remote ? ", style=bold" : "");
  }
  return out + "}\n";
}

std::string mermaid(const graph& g) {
  std::string out = "flowchart LR\n";
  by_role(
      g,
      [&](std::size_t i, const std::string& role) {
        out += fmt::format("  subgraph role_{}[\"{}\"]\n", i, mermaid_text(role));
      },
      [&](const graph_node& n) {
        auto label = "<b>" + mermaid_text(n.title) + "</b>";
        for (const auto& d : n.details) label += "<br/>" + mermaid_text(d);
        out += fmt::format("  {}[\"{}\"]\n", n.id, label);
      },
      [&] { out += "  end\n"; });
  for (const auto& e : g.edges) {
    out += fmt::format("  {} {}|{}| {}\n", g.nodes[e.from].id, e.remote ? "==>" : "-->", mermaid_text(e.label),
                       g.nodes[e.to].id);
  }
  return out;
}

} // namespace

std::string render(const graph& g, graph_format format) {
  switch (format) {
  case graph_format::text: return text(g);
  case graph_format::dot: return dot(g);
  case graph_format::mermaid: return mermaid(g);
  }
  return {};
}

} // namespace penstock::topology
