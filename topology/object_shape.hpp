#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/key_table.hpp"

namespace penstock::topology {

template <class C, class M>
class member_field final : public field {
 public:
  member_field(key_label l, M C::*member, shape_of<M> form)
      : field{std::move(l), *form}, member_{member}, form_{std::move(form)} {}

  void read(const node& n, const std::string& path, void* object, read_context& context) const override {
    read_value(*form_, n, path, static_cast<C*>(object)->*member_, context);
  }

  void absent(const std::string& path, const place& parent, void* object, read_context& context) const override {
    if (label.required)
      report_missing(*form_, parent, path, context);
    else
      form_->absent(path, parent, static_cast<C*>(object)->*member_, context);
  }

  node write(const void* object, path_style style) const override {
    return form_->write(static_cast<const C*>(object)->*member_, style);
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
  object_shape& add(std::string_view key, M C::*member, std::shared_ptr<S> form, std::string_view doc) {
    return add(label_of(key, doc, false), member, shape_of<M>{std::move(form)});
  }

  /// Adds a key that must be there.
  template <class M, class S>
  object_shape& need(std::string_view key, M C::*member, std::shared_ptr<S> form, std::string_view doc) {
    return add(label_of(key, doc, true), member, shape_of<M>{std::move(form)});
  }

  /// Says what to write in place of a key that there is not.
  object_shape& instead_of(std::string key, std::string advice) {
    keys_.advise(std::move(key), std::move(advice));
    return *this;
  }

  /// Has messages not show text that stands in place of the map.
  object_shape& secret() {
    is_secret_ = true;
    return *this;
  }

  bool read(const node& n, const std::string& path, C& out, read_context& context) const override {
    return keys_.read(n, path, &out, context);
  }
  void absent(const std::string& path, const place& parent, C& out, read_context& context) const override {
    keys_.absent(path, parent, &out, context);
  }
  bool demands() const override { return keys_.demands(); }
  node write(const C& object, path_style style) const override { return keys_.write(&object, style); }
  std::string allowed(const vocabulary& /*words*/) const override { return keys_.allowed(); }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override {
    return keys_.json_schema(words, defaults());
  }

  bool is_secret() const override { return is_secret_; }
  bool is_section() const override { return true; }

  void sections(const std::string& path, const std::string& doc, const vocabulary& words,
                std::vector<manual_section>& out) const override {
    keys_.sections(path, doc, words, defaults(), out);
  }

  [[nodiscard]] std::vector<std::string> keys() const { return keys_.keys(); }

 private:
  template <class M>
  object_shape& add(key_label label, M C::*member, shape_of<M> form) {
    keys_.add(std::make_unique<member_field<C, M>>(std::move(label), member, std::move(form)));
    return *this;
  }

  [[nodiscard]] node defaults() const { return keys_.write(std::make_unique<C>().get(), path_style::as_is); }

  key_table keys_;
  bool is_secret_ = false;
};

} // namespace penstock::topology
