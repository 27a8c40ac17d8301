#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/shape.hpp"

namespace penstock::topology {

/// What a key is called and what it means.
struct key_label {
  std::string key;
  std::string doc;
  bool required = false;
};

[[nodiscard]] key_label label_of(std::string_view key, std::string_view doc, bool required);

/// One key of a map, and the member that it is read into.
class field {
 public:
  field(key_label l, const any_shape& form) : label{std::move(l)}, form_{form} {}
  field(const field&) = delete;
  field& operator=(const field&) = delete;
  virtual ~field() = default;

  /// `object` is of the type whose member this is.
  virtual void read(const node& n, const std::string& path, void* object, read_context& context) const = 0;
  virtual void absent(const std::string& path, const place& parent, void* object, read_context& context) const = 0;
  [[nodiscard]] virtual node write(const void* object, path_style style) const = 0;

  [[nodiscard]] const any_shape& form() const noexcept { return form_; }
  [[nodiscard]] bool demands() const { return label.required || form_.demands(); }

  const key_label label;

 private:
  const any_shape& form_;
};

/// The keys of a map, whatever it is read into.
class key_table {
 public:
  void add(std::unique_ptr<const field> f) { fields_.push_back(std::move(f)); }
  /// Says what to write in place of a key that there is not.
  void advise(std::string key, std::string advice) { advice_.emplace_back(std::move(key), std::move(advice)); }

  [[nodiscard]] bool read(const node& n, const std::string& path, void* object, read_context& context) const;
  void absent(const std::string& path, const place& parent, void* object, read_context& context) const;
  [[nodiscard]] bool demands() const;
  [[nodiscard]] node write(const void* object, path_style style) const;
  [[nodiscard]] std::vector<std::string> keys() const;
  [[nodiscard]] std::string allowed() const;
  /// `defaults`: as written of an object that no key was read into.
  [[nodiscard]] nlohmann::ordered_json json_schema(const vocabulary& words, const node& defaults) const;
  void sections(const std::string& path, const std::string& doc, const vocabulary& words, const node& defaults,
                std::vector<manual_section>& out) const;

 private:
  void read_entry(const node& map, const entry& e, const std::string& path, void* object, read_context& context) const;
  [[nodiscard]] std::string advice_on(const std::string& key) const;

  std::vector<std::unique_ptr<const field>> fields_;
  std::vector<std::pair<std::string, std::string>> advice_;
};

} // namespace penstock::topology
