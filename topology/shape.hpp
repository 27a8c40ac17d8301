#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "topology/document.hpp"
#include "topology/vocabulary.hpp"

namespace penstock::topology {

/// What reading needs beside the document.
struct read_context {
  const vocabulary& words;
  std::filesystem::path base; ///< folder of the file; empty: the working directory
  problem_list& problems;
};

/// A section of the reference manual: one map of the file.
struct manual_section {
  struct row {
    std::string key;
    std::string type;
    std::string preset; ///< the default
    std::string doc;
  };
  std::string path;
  std::string doc;
  std::vector<row> rows;
};

/// How paths are written: as the configuration has them, or so that they hold in any folder.
enum class path_style : std::uint8_t { as_is, absolute };

/// What a shape says of itself, whatever it reads.
class any_shape {
 public:
  any_shape() = default;
  any_shape(const any_shape&) = delete;
  any_shape& operator=(const any_shape&) = delete;
  virtual ~any_shape() = default;

  /// What is allowed, for messages and the manual.
  [[nodiscard]] virtual std::string allowed(const vocabulary& words) const = 0;

  /// "; did you mean …?" for a value that was not allowed.
  [[nodiscard]] virtual std::string hint(const node& /*n*/, const vocabulary& /*words*/) const { return {}; }

  /// Whether the key, or one below it, must be there.
  [[nodiscard]] virtual bool demands() const { return false; }

  [[nodiscard]] virtual nlohmann::ordered_json json_schema(const vocabulary& words) const = 0;

  /// Adds the sections of this value and those inside it.
  virtual void sections(const std::string& /*path*/, const std::string& /*doc*/, const vocabulary& /*words*/,
                        std::vector<manual_section>& /*out*/) const {}

  /// Whether what stands there may be a secret, which messages must not show.
  [[nodiscard]] virtual bool is_secret() const { return false; }

  /// Whether the manual has a section for it.
  [[nodiscard]] virtual bool is_section() const { return false; }
};

/// How one kind of value is read, written and described. Everything that the room knows about the file's form is a tree
/// of shapes, see schema_table.cpp.
template <class T>
class shape : public any_shape {
 public:
  /// Reads `n` into `out`. False: `n` is nothing that this shape allows. Problems of inner values are reported.
  [[nodiscard]] virtual bool read(const node& n, const std::string& path, T& out, read_context& context) const = 0;

  /// The value as a document; null: leave the key out.
  [[nodiscard]] virtual node write(const T& value, path_style style) const = 0;

  /// Completes the default `out` of a key that is not there, and reports what must be there.
  virtual void absent(const std::string& /*path*/, const place& /*parent*/, T& /*out*/,
                      read_context& /*context*/) const {}
};

template <class T>
using shape_of = std::shared_ptr<const shape<T>>;

/// Reports that `n` is not what the shape allows.
void report_not_allowed(const any_shape& s, const node& n, const std::string& path, read_context& context);
/// Reports that a key which must be there is not.
void report_missing(const any_shape& s, const place& parent, const std::string& path, read_context& context);
/// Reports a key that was there before.
void report_twice(const entry& first, const entry& again, const std::string& path, read_context& context);

/// Reads and reports a value that is not allowed.
template <class T>
void read_value(const shape<T>& s, const node& n, const std::string& path, T& out, read_context& context) {
  context.problems.places.record(path, n.at);
  if (!n.broken && !s.read(n, path, out, context)) report_not_allowed(s, n, path, context);
}

} // namespace penstock::topology
