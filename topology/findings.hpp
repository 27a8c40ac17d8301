#pragma once

#include <string>
#include <string_view>

#include "topology/shape.hpp"

namespace penstock::topology {

/// Reports problems by the path of a value: finds where it, or the nearest map around it, stands.
class findings {
 public:
  explicit findings(read_context& context) : context_{context} {}

  /// Unless something about this path was reported already.
  void error(const std::string& path, std::string message) const {
    if (!context_.problems.has_errors_around(path)) context_.problems.error(at(path), path, std::move(message));
  }

  void note(const std::string& path, std::string message) const {
    context_.problems.note(at(path), path, std::move(message));
  }

 private:
  [[nodiscard]] place at(std::string path) const {
    for (;;) {
      if (const auto it = context_.places.find(path); it != context_.places.end()) return it->second;
      const auto dot = path.rfind('.');
      if (dot == std::string::npos) return {};
      path.resize(dot);
    }
  }

  read_context& context_;
};

} // namespace penstock::topology
