#pragma once

#include <map>
#include <string>

#include "topology/problem.hpp"

namespace penstock::topology {

/// A place in a topology file or in an override.
struct place {
  int override_number = 0; ///< 0: the file; otherwise the override, counted from 1
  int line = 1;
  int column = 1;
};

/// Where the values of a file stand, so that what is found out about them later can be told with its place.
class value_places {
 public:
  value_places() = default;
  explicit value_places(std::string file) : file_{std::move(file)} {}

  void record(const std::string& path, const place& at) { places_[path] = at; }

  /// The place of a value, or of the nearest map around it that was written.
  [[nodiscard]] place find(std::string path) const;

  /// A problem with the value of `path`.
  [[nodiscard]] problem at(std::string path, std::string message, severity s = severity::error) const;

  /// A problem at a place that is known.
  [[nodiscard]] problem at(const place& where, std::string path, std::string message, severity s) const;

 private:
  std::string file_;
  std::map<std::string, place> places_;
};

} // namespace penstock::topology
