#include "inference/labels.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <utility>

namespace penstock::inference {

core::expected<std::vector<std::string>> load_labels(const std::filesystem::path& file) {
  if (std::error_code ignored; !std::filesystem::exists(file, ignored)) {
    return core::fail(core::errc::not_found, fmt::format("{}: no such label file", file.string()));
  }
  std::ifstream in{file};
  if (!in) return core::fail(core::errc::io, fmt::format("{}: {}", file.string(), std::strerror(errno)));
  std::vector<std::string> labels;
  for (std::string line; std::getline(in, line);) {
    const auto last = line.find_last_not_of(" \t\r");
    const auto first = line.find_first_not_of(" \t");
    labels.push_back(last == std::string::npos ? std::string{} : line.substr(first, last - first + 1));
  }
  if (in.bad()) return core::fail(core::errc::io, fmt::format("{}: cannot be read", file.string()));
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) return core::fail(core::errc::corrupt, fmt::format("{}: has no labels", file.string()));
  return labels;
}

core::expected<std::vector<std::string>> labels_for(std::vector<std::string> labels, std::size_t classes) {
  if (labels.empty()) {
    for (std::size_t i = 0; i < classes; ++i) labels.push_back(fmt::format("class {}", i));
    return labels;
  }
  if (classes != 0 && labels.size() != classes) {
    return core::fail(core::errc::bad_config,
                      fmt::format("{} labels for a model with {} classes", labels.size(), classes));
  }
  return labels;
}

} // namespace penstock::inference
