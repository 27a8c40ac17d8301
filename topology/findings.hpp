#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/shape.hpp"

namespace penstock::topology {

/// Reports problems by the path of a value: finds where it, or the nearest map around it, stands.
class findings {
 public:
  explicit findings(read_context& context) : context_{context}, unreadable_{context.problems.error_paths()} {}

  /// Unless the value, one around it or one inside it could not be read: that was reported then.
  void error(const std::string& path, std::string message) const {
    const auto known = std::any_of(unreadable_.begin(), unreadable_.end(), [&](const std::string& other) {
      return is_inside(path, other) || is_inside(other, path);
    });
    if (!known) context_.problems.error(context_.problems.places.find(path), path, std::move(message));
  }

  void note(const std::string& path, std::string message) const {
    context_.problems.note(context_.problems.places.find(path), path, std::move(message));
  }

 private:
  static bool is_inside(std::string_view inner, std::string_view outer) {
    return inner.substr(0, outer.size()) == outer && (inner.size() == outer.size() || inner[outer.size()] == '.');
  }

  read_context& context_;
  std::vector<std::string> unreadable_;
};

} // namespace penstock::topology
