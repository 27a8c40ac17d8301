#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "topology/json_forms.hpp"
#include "topology/shape.hpp"

namespace penstock::topology {

/// A list of any length.
template <class T>
class list_shape final : public shape<std::vector<T>> {
 public:
  explicit list_shape(shape_of<T> item) : item_{std::move(item)} {}

  bool read(const node& n, const std::string& path, std::vector<T>& out, read_context& context) const override {
    if (n.type != node::kind::list && n.type != node::kind::null) return false;
    out.clear();
    for (std::size_t i = 0; i < n.items.size(); ++i) {
      read_value(*item_, n.items[i], join(path, std::to_string(i)), out.emplace_back(), context);
    }
    return true;
  }

  node write(const std::vector<T>& value, path_style style) const override {
    node n;
    n.type = node::kind::list;
    for (const auto& v : value) n.items.push_back(item_->write(v, style));
    return n;
  }

  std::string allowed(const vocabulary& words) const override { return "a list; each item: " + item_->allowed(words); }
  bool is_secret() const override { return item_->is_secret(); }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    return json_forms::list(item_->json_schema(words));
  }

  bool is_section() const override { return item_->is_section(); }

  void sections(const std::string& path, const std::string& doc, const vocabulary& words,
                std::vector<manual_section>& out) const override {
    item_->sections(path + "[]", doc, words, out);
  }

 private:
  shape_of<T> item_;
};

/// A list for which `[all]` stands, too: of everything that may be in it.
template <class T>
class all_or_list_shape final : public shape<std::vector<T>> {
 public:
  all_or_list_shape(std::vector<T> everything, shape_of<std::vector<T>> list)
      : everything_{std::move(everything)}, list_{std::move(list)} {}

  bool read(const node& n, const std::string& path, std::vector<T>& out, read_context& context) const override {
    const auto is_all = n.items.size() == 1 && n.items.front().type == node::kind::scalar && n.items[0].text == "all";
    if (!is_all) return list_->read(n, path, out, context);
    out = everything_;
    return true;
  }

  node write(const std::vector<T>& value, path_style style) const override { return list_->write(value, style); }
  std::string allowed(const vocabulary& words) const override { return "[all], or " + list_->allowed(words); }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    return json_forms::all_or(list_->json_schema(words));
  }

 private:
  std::vector<T> everything_;
  shape_of<std::vector<T>> list_;
};

/// A map with keys of the user's choice, each read into a `T` that keeps its key in a member.
template <class T>
class named_shape final : public shape<std::vector<T>> {
 public:
  named_shape(std::string T::*name, std::string placeholder, shape_of<T> item)
      : name_{name}, placeholder_{std::move(placeholder)}, item_{std::move(item)} {}

  bool read(const node& n, const std::string& path, std::vector<T>& out, read_context& context) const override {
    if (n.type != node::kind::map && n.type != node::kind::null) return false;
    out.clear();
    for (const auto& e : n.entries) {
      if (const auto* first = n.find(e.key); first != &e) {
        report_twice(*first, e, join(path, e.key), context);
        continue;
      }
      auto& item = out.emplace_back();
      item.*name_ = e.key;
      read_value(*item_, e.value, join(path, e.key), item, context);
    }
    return true;
  }

  node write(const std::vector<T>& value, path_style style) const override {
    node n;
    n.type = node::kind::map;
    for (const auto& v : value) n.entries.push_back({v.*name_, {}, item_->write(v, style)});
    return n;
  }

  std::string allowed(const vocabulary& words) const override {
    return "a map; under each key " + item_->allowed(words);
  }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    return json_forms::map(item_->json_schema(words));
  }

  bool is_section() const override { return item_->is_section(); }

  void sections(const std::string& path, const std::string& doc, const vocabulary& words,
                std::vector<manual_section>& out) const override {
    item_->sections(join(path, placeholder_), doc, words, out);
  }

 private:
  std::string T::*name_;
  std::string placeholder_;
  shape_of<T> item_;
};

/// A value that need not be there: absent stays absent.
template <class T>
class optional_shape final : public shape<std::optional<T>> {
 public:
  explicit optional_shape(shape_of<T> inner) : inner_{std::move(inner)} {}

  bool read(const node& n, const std::string& path, std::optional<T>& out, read_context& context) const override {
    return inner_->read(n, path, out.emplace(), context);
  }

  node write(const std::optional<T>& value, path_style style) const override {
    return value ? inner_->write(*value, style) : node{};
  }
  std::string allowed(const vocabulary& words) const override { return inner_->allowed(words); }
  nlohmann::ordered_json json_schema(const vocabulary& words) const override { return inner_->json_schema(words); }
  bool is_section() const override { return inner_->is_section(); }

  void sections(const std::string& path, const std::string& doc, const vocabulary& words,
                std::vector<manual_section>& out) const override {
    inner_->sections(path, doc, words, out);
  }

 private:
  shape_of<T> inner_;
};

/// A map of which one key alone may be written as a plain value.
template <class T>
class short_form_shape final : public shape<T> {
 public:
  short_form_shape(std::string key, shape_of<T> inner) : key_{std::move(key)}, inner_{std::move(inner)} {}

  bool read(const node& n, const std::string& path, T& out, read_context& context) const override {
    if (n.type != node::kind::scalar) return inner_->read(n, path, out, context);
    node whole;
    whole.type = node::kind::map;
    whole.at = n.at;
    whole.entries.push_back({key_, n.at, n});
    return inner_->read(whole, path, out, context);
  }

  void absent(const std::string& path, const place& parent, T& out, read_context& context) const override {
    inner_->absent(path, parent, out, context);
  }
  bool demands() const override { return inner_->demands(); }
  node write(const T& value, path_style style) const override { return inner_->write(value, style); }
  std::string allowed(const vocabulary& words) const override { return inner_->allowed(words); }
  bool is_section() const override { return inner_->is_section(); }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    return json_forms::text_or(inner_->json_schema(words));
  }

  void sections(const std::string& path, const std::string& doc, const vocabulary& words,
                std::vector<manual_section>& out) const override {
    inner_->sections(path, doc, words, out);
  }

 private:
  std::string key_;
  shape_of<T> inner_;
};

/// A value or the word `auto`, which leaves the decision to the program.
template <class T>
class auto_shape final : public shape<std::optional<T>> {
 public:
  explicit auto_shape(shape_of<T> inner) : inner_{std::move(inner)} {}

  bool read(const node& n, const std::string& path, std::optional<T>& out, read_context& context) const override {
    out.reset();
    if (n.type == node::kind::scalar && n.text == "auto") return true;
    return inner_->read(n, path, out.emplace(), context);
  }

  node write(const std::optional<T>& value, path_style style) const override {
    return value ? inner_->write(*value, style) : scalar("auto");
  }
  std::string allowed(const vocabulary& words) const override { return "auto, " + inner_->allowed(words); }
  std::string hint(const node& n, const vocabulary& words) const override { return inner_->hint(n, words); }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    return json_forms::auto_or(inner_->json_schema(words));
  }

 private:
  shape_of<T> inner_;
};

} // namespace penstock::topology
