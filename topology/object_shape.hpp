#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "topology/shape.hpp"
#include "topology/spelling.hpp"

namespace penstock::topology {

/// What a key is called and what it means.
struct key_label {
  std::string key;
  std::string doc;
  bool required = false;
};

/// One key of a map that is read into a `C`.
template <class C>
class field {
 public:
  explicit field(key_label l) : label{std::move(l)} {}
  field(const field&) = delete;
  field& operator=(const field&) = delete;
  virtual ~field() = default;

  virtual void read(const node& n, const std::string& path, C& out, read_context& context) const = 0;
  virtual void absent(const std::string& path, const place& parent, C& out, read_context& context) const = 0;
  [[nodiscard]] virtual bool demands() const = 0;
  [[nodiscard]] virtual node write(const C& object, path_style style) const = 0;
  [[nodiscard]] virtual nlohmann::ordered_json json_schema(const vocabulary& words) const = 0;
  [[nodiscard]] virtual std::string allowed(const vocabulary& words) const = 0;
  virtual void sections(const std::string& path, const vocabulary& words, std::vector<manual_section>& out) const = 0;
  [[nodiscard]] virtual bool is_section() const = 0;

  const key_label label;
};

template <class C, class M>
class member_field final : public field<C> {
 public:
  member_field(key_label l, M C::*member, shape_of<M> form)
      : field<C>{std::move(l)}, member_{member}, form_{std::move(form)} {}

  void read(const node& n, const std::string& path, C& out, read_context& context) const override {
    read_value(*form_, n, path, out.*member_, context);
  }

  void absent(const std::string& path, const place& parent, C& out, read_context& context) const override {
    if (this->label.required) {
      context.problems.error(parent, path, "is missing; allowed: " + form_->allowed(context.words));
    } else {
      form_->absent(path, parent, out.*member_, context);
    }
  }

  bool demands() const override { return this->label.required || form_->demands(); }
  node write(const C& object, path_style style) const override { return form_->write(object.*member_, style); }
  std::string allowed(const vocabulary& words) const override { return form_->allowed(words); }
  bool is_section() const override { return form_->is_section(); }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    nlohmann::ordered_json j{{"description", this->label.doc}};
    j.update(form_->json_schema(words));
    return j;
  }

  void sections(const std::string& path, const vocabulary& words, std::vector<manual_section>& out) const override {
    form_->sections(path, this->label.doc, words, out);
  }

 private:
  M C::*member_;
  shape_of<M> form_;
};

/// A map with known keys.
template <class C>
class object_shape final : public shape<C> {
 public:
  /// Adds an optional key; its default is the member's.
  template <class M, class S>
  object_shape& add(std::string key, M C::*member, std::shared_ptr<S> form, std::string doc) {
    return add({std::move(key), std::move(doc), false}, member, shape_of<M>{std::move(form)});
  }

  /// Adds a key that must be there.
  template <class M, class S>
  object_shape& need(std::string key, M C::*member, std::shared_ptr<S> form, std::string doc) {
    return add({std::move(key), std::move(doc), true}, member, shape_of<M>{std::move(form)});
  }

  /// Says what to write in place of a key that there is not.
  object_shape& instead_of(std::string key, std::string advice) {
    advice_.emplace_back(std::move(key), std::move(advice));
    return *this;
  }

  /// Has messages not show text that stands in place of the map.
  object_shape& secret() {
    is_secret_ = true;
    return *this;
  }

  bool read(const node& n, const std::string& path, C& out, read_context& context) const override {
    if (n.type != node::kind::map && n.type != node::kind::null) return false;
    for (const auto& e : n.entries) read_entry(n, e, path, out, context);
    for (const auto& f : fields_) {
      if (n.find(f->label.key) == nullptr) f->absent(join(path, f->label.key), n.at, out, context);
    }
    return true;
  }

  void absent(const std::string& path, const place& parent, C& out, read_context& context) const override {
    for (const auto& f : fields_) f->absent(join(path, f->label.key), parent, out, context);
  }

  bool demands() const override {
    return std::any_of(fields_.begin(), fields_.end(), [](const auto& f) { return f->demands(); });
  }

  node write(const C& object, path_style style) const override {
    node n;
    n.type = node::kind::map;
    for (const auto& f : fields_) {
      if (auto value = f->write(object, style); value.type != node::kind::null) {
        n.entries.push_back({f->label.key, {}, std::move(value)});
      }
    }
    return n;
  }

  std::string allowed(const vocabulary& /*words*/) const override { return "a map with " + enumerate(keys()); }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    auto properties = nlohmann::ordered_json::object();
    auto needed = nlohmann::ordered_json::array();
    const auto defaults = write(C{}, path_style::as_is);
    for (const auto& f : fields_) {
      auto& property = properties[f->label.key] = f->json_schema(words);
      const auto* preset = defaults.find(f->label.key);
      if (!f->label.required && preset != nullptr && preset->value.type == node::kind::scalar) {
        const auto literal = nlohmann::ordered_json::parse(preset->value.text, nullptr, false);
        property["default"] =
            literal.is_number() || literal.is_boolean() ? literal : nlohmann::ordered_json(preset->value.text);
      }
      if (f->demands()) needed.push_back(f->label.key);
    }
    nlohmann::ordered_json j{{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
    if (!needed.empty()) j["required"] = needed;
    return j;
  }

  bool is_secret() const override { return is_secret_; }
  bool is_section() const override { return true; }

  void sections(const std::string& path, const std::string& doc, const vocabulary& words,
                std::vector<manual_section>& out) const override {
    manual_section s{path, doc, {}};
    const auto defaults = write(C{}, path_style::as_is);
    for (const auto& f : fields_) {
      const auto* preset = defaults.find(f->label.key);
      auto text = f->label.required ? "required" : preset == nullptr ? "absent" : print_inline(preset->value);
      s.rows.push_back({f->label.key, f->is_section() ? "" : f->allowed(words), std::move(text), f->label.doc});
    }
    out.push_back(std::move(s));
    for (const auto& f : fields_) f->sections(join(path, f->label.key), words, out);
  }

  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> result;
    for (const auto& f : fields_) result.push_back(f->label.key);
    return result;
  }

 private:
  template <class M>
  object_shape& add(key_label label, M C::*member, shape_of<M> form) {
    fields_.push_back(std::make_unique<member_field<C, M>>(std::move(label), member, std::move(form)));
    return *this;
  }

  void read_entry(const node& map, const entry& e, const std::string& path, C& out, read_context& context) const {
    const auto where = join(path, e.key);
    const auto it = std::find_if(fields_.begin(), fields_.end(), [&](const auto& f) { return f->label.key == e.key; });
    if (it == fields_.end()) {
      context.problems.error(e.at, where,
                             "unknown key '" + e.key + "'; allowed: " + enumerate(keys()) + advice_on(e.key));
    } else if (const auto* first = map.find(e.key); first != &e) {
      context.problems.error(e.at, where,
                             "the key '" + e.key + "' stands twice, first in line " + std::to_string(first->at.line));
    } else {
      (*it)->read(e.value, where, out, context);
      if (e.value.type != node::kind::scalar && e.value.at.override_number == e.at.override_number &&
          e.value.at.line != e.at.line) {
        context.problems.places.record(where, e.at); // a block: its key is the place to look at
      }
    }
  }

  [[nodiscard]] std::string advice_on(const std::string& key) const {
    const auto it = std::find_if(advice_.begin(), advice_.end(), [&](const auto& a) { return a.first == key; });
    return it == advice_.end() ? did_you_mean(key, keys()) : "; " + it->second;
  }

  std::vector<std::unique_ptr<const field<C>>> fields_;
  std::vector<std::pair<std::string, std::string>> advice_;
  bool is_secret_ = false;
};

} // namespace penstock::topology
