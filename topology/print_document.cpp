#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "topology/document.hpp"

namespace penstock::topology {
namespace {

bool is_plain(std::string_view s) {
  constexpr std::string_view safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
  constexpr std::string_view start = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./";
  return !s.empty() && start.find(s.front()) != std::string_view::npos &&
         s.find_first_not_of(safe) == std::string_view::npos && s != "null" && s != "Null" && s != "NULL";
}

std::string quote(std::string_view s) {
  std::string out = "\"";
  for (const auto c : s) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string text_of(const node& n) { return is_plain(n.text) && !n.quoted ? n.text : quote(n.text); }

bool is_block(const node& n) {
  if (n.type == node::kind::map) return !n.entries.empty();
  return std::any_of(n.items.begin(), n.items.end(), [](const node& i) { return i.type == node::kind::map; });
}

void print(const node& n, std::size_t indent, std::string& out);

void print_map(const node& n, std::size_t indent, std::string& out) {
  for (std::size_t i = 0; i < n.entries.size(); ++i) {
    const auto& e = n.entries[i];
    if (i > 0) out.append(indent, ' ');
    out += (is_plain(e.key) ? e.key : quote(e.key)) + ':';
    if (is_block(e.value)) {
      out += '\n';
      out.append(indent + 2, ' ');
      print(e.value, indent + 2, out);
    } else {
      out += ' ' + print_inline(e.value) + '\n';
    }
  }
}

/// Prints a block whose first line is indented already.
void print(const node& n, std::size_t indent, std::string& out) {
  if (n.type == node::kind::map) return print_map(n, indent, out);
  for (std::size_t i = 0; i < n.items.size(); ++i) {
    if (i > 0) out.append(indent, ' ');
    out += "- ";
    if (is_block(n.items[i])) {
      print(n.items[i], indent + 2, out);
    } else {
      out += print_inline(n.items[i]) + '\n';
    }
  }
}

} // namespace

std::string print_inline(const node& n) {
  switch (n.type) {
  case node::kind::null: return "null";
  case node::kind::scalar: return text_of(n);
  case node::kind::map: return "{}";
  case node::kind::list: break;
  }
  std::string out = "[";
  for (const auto& i : n.items) out += (out.size() > 1 ? ", " : "") + print_inline(i);
  return out += ']';
}

std::string print_document(const node& root) {
  std::string out;
  if (is_block(root)) {
    print(root, 0, out);
  } else {
    out = print_inline(root) + '\n';
  }
  return out;
}

} // namespace penstock::topology
