#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "topology/document.hpp"

namespace penstock::topology {
namespace {

/// A topology of a thousand streams has some ten thousand nodes; aliases of aliases could make any number.
constexpr std::size_t most_nodes = 1'000'000;

struct too_many_nodes {};

std::size_t count(const node& n) {
  std::size_t total = 1;
  for (const auto& i : n.items) total += count(i);
  for (const auto& e : n.entries) total += count(e.value);
  return total;
}

/// Builds the tree from yaml-cpp's events.
class tree_builder : public YAML::EventHandler {
 public:
  explicit tree_builder(const place& start) : start_{start} { root_.at = start; }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(make(node::kind::null, mark), anchor); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    auto n = it == anchors_.end() ? make(node::kind::null, mark) : it->second;
    nodes_ += count(n);
    if (nodes_ > most_nodes) throw too_many_nodes{};
    put(std::move(n));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    auto n = make(node::kind::scalar, mark);
    n.text = value;
    n.quoted = tag == "!";
    leaf(std::move(n), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open_.push_back({make(node::kind::list, mark), anchor, {}, {}, false});
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open_.push_back({make(node::kind::map, mark), anchor, {}, {}, false});
  }
  void OnMapEnd() override { close(); }

  /// What was read, also where the text broke off.
  node take() && {
    while (!open_.empty()) close();
    return std::move(root_);
  }

  [[nodiscard]] place at(const YAML::Mark& mark) const {
    auto p = start_;
    p.line += mark.line;
    p.column = mark.line == 0 ? p.column + mark.column : mark.column + 1;
    return p;
  }

 private:
  struct level {
    node value;
    YAML::anchor_t anchor;
    std::string key;
    place key_at;
    bool has_key;
  };

  node make(node::kind type, const YAML::Mark& mark) {
    if (++nodes_ > most_nodes) throw too_many_nodes{};
    node n;
    n.type = type;
    n.at = at(mark);
    return n;
  }

  void leaf(node n, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = n;
    put(std::move(n));
  }

  void close() {
    auto done = std::move(open_.back());
    open_.pop_back();
    if (done.value.type == node::kind::map) merge(done.value);
    leaf(std::move(done.value), done.anchor);
  }

  void put(node n) {
    if (open_.empty()) {
      root_ = std::move(n);
      return;
    }
    auto& top = open_.back();
    if (top.value.type == node::kind::list) {
      top.value.items.push_back(std::move(n));
    } else if (!top.has_key) {
      top.key = n.type == node::kind::scalar ? n.text : found(n);
      top.key_at = n.at;
      top.has_key = true;
    } else {
      top.value.entries.push_back({std::exchange(top.key, {}), top.key_at, std::move(n)});
      top.has_key = false;
    }
  }

  /// YAML's merge key: `<<: *base` adds the keys of `base` that the map does not have.
  static void merge(node& map) {
    for (std::size_t i = 0; i < map.entries.size(); ++i) {
      if (map.entries[i].key != "<<" || map.entries[i].value.type != node::kind::map) continue;
      const auto base = std::move(map.entries[i].value.entries);
      map.entries.erase(map.entries.begin() + static_cast<std::ptrdiff_t>(i--));
      for (const auto& e : base) {
        if (map.find(e.key) == nullptr) map.entries.push_back(e);
      }
    }
  }

  place start_;
  node root_;
  std::vector<level> open_;
  std::map<YAML::anchor_t, node> anchors_;
  std::size_t nodes_ = 0;
};

} // namespace

node parse_document(std::string_view text, const place& start, problem_list& list) {
  tree_builder builder{start};
  try {
    struct buffer : std::streambuf {
      explicit buffer(std::string_view t) {
        auto* begin = const_cast<char*>(t.data());
        setg(begin, begin, begin + t.size());
      }
    } bytes{text};
    std::istream in{&bytes};
    YAML::Parser parser{in};
    if (parser.HandleNextDocument(builder)) {
      tree_builder second{start};
      if (parser.HandleNextDocument(second)) {
        list.error(std::move(second).take().at, "", "found a second document; allowed: one");
      }
    }
  } catch (const YAML::Exception& e) {
    list.error(e.mark.is_null() ? start : builder.at(e.mark), "", fmt::format("not valid YAML: {}", e.msg));
  } catch (const too_many_nodes&) {
    list.error(start, "", fmt::format("more than {} values, aliases counted", most_nodes));
  } catch (const std::exception& e) {
    list.error(start, "", fmt::format("not valid YAML: {}", e.what()));
  }
  return std::move(builder).take();
}

} // namespace penstock::topology
