#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "topology/config.hpp"
#include "topology/places.hpp"
#include "topology/problem.hpp"
#include "topology/vocabulary.hpp"

namespace penstock::topology {

struct load_options {
  topology::vocabulary vocabulary;
  std::vector<std::string> overrides; ///< `path=value` as `--set` takes them
  bool check_files = true;            ///< models, labels and stream files must exist
  /// Looks up `${NAME}`; the process environment where empty.
  std::function<std::optional<std::string>(std::string_view)> environment;
};

/// A file that can be run, and what to tell the user about it all the same.
struct loaded {
  topology::config config;
  problems notes{};
  value_places places{}; ///< for problems that only other rooms can find
};

/// Reads, overrides, resolves and validates a topology file ("-": standard input). On failure every problem of the
/// file, in its order, notes among them.
[[nodiscard]] tl::expected<loaded, problems> load(const std::filesystem::path& file, const load_options& options);

/// The same for text that would stand in `file`.
[[nodiscard]] tl::expected<loaded, problems> load_text(std::string_view text, const std::filesystem::path& file,
                                                       const load_options& options);

/// A topology file with every default written out, wherever it is stored: paths are absolute. Reading it yields `c`
/// again. References are replaced by their values, secrets included.
[[nodiscard]] std::string to_yaml(const config& c);

} // namespace penstock::topology
