#include "topology/check_http.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace penstock::topology {
namespace {

/// Each of a kind once: remembers who has which value.
class owners {
 public:
  /// The path of who has it already; empty: nobody had.
  std::string other(std::string value, const std::string& path) {
    const auto [known, fresh] = first_.emplace(std::move(value), path);
    return fresh ? std::string{} : known->second;
  }

 private:
  std::map<std::string, std::string> first_;
};

std::string lower(std::string s) {
  for (auto& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return s;
}

void check_tokens(const std::vector<http_token_config>& tokens, const findings& find) {
  owners names;
  owners digests;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& t = tokens[i];
    const auto path = fmt::format("http.tokens.{}", i);
    if (t.name.empty() || t.sha256.empty()) continue; // said already
    if (const auto other = names.other(t.name, path + ".name"); !other.empty()) {
      find.error(path + ".name", fmt::format("found '{}', which {} is already", t.name, other));
    }
    if (const auto other = digests.other(lower(t.sha256), path + ".sha256"); !other.empty()) {
      find.error(path + ".sha256", fmt::format("is of the same token as {}", other));
    }
    if (t.scopes.empty()) find.error(path + ".scopes", "has no scope; allowed: detect, jobs, streams, admin");
    for (auto at = t.scopes.begin(); at != t.scopes.end(); ++at) {
      if (std::find(t.scopes.begin(), at, *at) == at) continue;
      find.error(fmt::format("{}.scopes.{}", path, at - t.scopes.begin()), "stands twice");
    }
  }
}

void check_tls(const http_tls_config& tls, bool check_files, const findings& find) {
  if (tls.certificate.empty() != tls.key.empty()) {
    const auto [missing, there] = tls.key.empty() ? std::pair{"key", "certificate"} : std::pair{"certificate", "key"};
    find.error(fmt::format("http.tls.{}", missing),
               fmt::format("is missing; allowed: a path, since http.tls.{} is there", there));
  }
  if (!check_files) return;
  for (const auto& [key, file] : {std::pair{"certificate", tls.certificate}, std::pair{"key", tls.key}}) {
    std::error_code error; // workers read this file too, and have no business with the key: so it is no error
    if (file.empty() || std::filesystem::exists(file, error)) continue;
    find.note(fmt::format("http.tls.{}", key),
              fmt::format("'{}' does not exist on this machine, whose door would not open", file.string()));
  }
}

/// Names other than localhost are looked up when the door opens, not here.
bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("localhost:") || address.starts_with("[::1]:");
}

void check_address(const config& c, const node_config& n, const findings& find) {
  const auto path = fmt::format("nodes.{}.http", n.role);
  if (std::find(n.stages.begin(), n.stages.end(), stage::source) == n.stages.end()) {
    find.note(path, "the door is at the role with source; this one has no use for it");
  } else if (c.http.tokens.empty() && !c.security.insecure && !is_loopback(n.http)) {
    find.note(path, fmt::format("{} can be reached from other machines and there are no http.tokens, so the door will "
                                "not open; allowed: tokens, a loopback address, or security.insecure: true",
                                n.http));
  }
}

} // namespace

void check_http(const config& c, bool check_files, const findings& find) {
  check_tokens(c.http.tokens, find);
  check_tls(c.http.tls, check_files, find);
  if (c.http.admission.deadline > c.http.admission.max_deadline) {
    find.error("http.admission", "deadline is larger than max_deadline");
  }
  bool open = false;
  for (const auto& n : c.nodes) {
    if (n.http.empty()) continue;
    open = true;
    check_address(c, n, find);
  }
  if (!open && c.http != http_config{}) find.note("http", "no role has http, so there is no door");
}

} // namespace penstock::topology
