#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "topology/places.hpp"

/// The room's own picture of a YAML document: unlike yaml-cpp's it keeps duplicate keys, the place of every key and
/// value, and the text of every scalar, since the schema, not YAML, decides what is a number.
namespace penstock::topology {

struct entry;

struct node {
  enum class kind : std::uint8_t { null, scalar, list, map };

  kind type = kind::null;
  place at;
  bool quoted = false; ///< a scalar that YAML reads as text
  bool broken = false; ///< a problem with it was reported already
  std::string text;    ///< of a scalar
  std::vector<node> items;
  std::vector<entry> entries; ///< in the order of the file

  [[nodiscard]] const entry* find(std::string_view key) const;
  [[nodiscard]] entry* find(std::string_view key);
};

struct entry {
  std::string key;
  place at; ///< of the key
  node value;
};

/// A scalar for output.
[[nodiscard]] node scalar(std::string text, bool quoted = false);

/// "list", "map", "nothing" or the quoted text, for messages: "found …".
[[nodiscard]] std::string found(const node& n);

/// `a.b`, or `b` at the top.
[[nodiscard]] std::string join(std::string_view path, std::string_view key);

/// Collects problems, and the places of values.
class problem_list {
 public:
  explicit problem_list(std::string file) : places{std::move(file)} {}

  value_places places;

  void error(const place& at, std::string path, std::string message) {
    add(at, std::move(path), std::move(message), severity::error);
  }
  void note(const place& at, std::string path, std::string message) {
    add(at, std::move(path), std::move(message), severity::note);
  }

  [[nodiscard]] bool has_errors() const;

  /// The paths of all errors so far.
  [[nodiscard]] std::vector<std::string> error_paths() const;

  /// All of them in the order of the file.
  [[nodiscard]] problems take() &&;

 private:
  void add(const place& at, std::string path, std::string message, severity s);

  struct item {
    place at;
    problem what;
  };
  std::vector<item> items_;
};

/// Parses one YAML document. Syntax errors, a second document and aliases that blow up are problems; then the result is
/// what was read so far. `start` is where the text begins.
[[nodiscard]] node parse_document(std::string_view text, const place& start, problem_list& list);

/// Replaces `${NAME}` and `${NAME:-default}` in every scalar; `$${` stands for `${`. A name that is not set and has no
/// default is a problem.
void resolve_references(node& root, const std::function<std::optional<std::string>(std::string_view)>& environment,
                        problem_list& list);

/// Applies `path=value` number `number` to the document. Keys that are not there yet are added: the schema tells
/// whether they may be.
void apply_override(node& root, std::string_view text, int number, problem_list& list);

/// Prints a document as block YAML; lists of scalars stay on one line.
[[nodiscard]] std::string print_document(const node& root);

/// A scalar or a list of scalars on one line.
[[nodiscard]] std::string print_inline(const node& n);

} // namespace penstock::topology
