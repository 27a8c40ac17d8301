#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "topology/expand.hpp"
#include "topology/scalar_shapes.hpp"

namespace penstock::topology {
namespace {

/// `${` in a value that is written would be a reference when it is read again.
std::string escape_references(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s.substr(i, 2) == "${") out += '$';
    out += s[i];
  }
  return out;
}

std::string quotes_hint(const node& n) {
  const auto mistaken = n.type == node::kind::map || n.type == node::kind::list;
  return mistaken ? "; text that starts with '{' or '[' needs quotes" : "";
}

nlohmann::ordered_json text_schema(bool may_be_empty) {
  nlohmann::ordered_json j{{"type", "string"}};
  if (!may_be_empty) j["minLength"] = 1;
  return j;
}

class text_shape final : public shape<std::string> {
 public:
  text_shape(std::string allowed, bool may_be_empty, std::function<bool(std::string_view)> accepts)
      : allowed_{std::move(allowed)}, may_be_empty_{may_be_empty}, accepts_{std::move(accepts)} {}

  bool read(const node& n, const std::string& /*path*/, std::string& out, read_context& /*context*/) const override {
    if (n.type != node::kind::scalar) return false;
    out = n.text;
    return n.text.empty() ? may_be_empty_ : accepts_(n.text);
  }

  node write(const std::string& value, path_style /*style*/) const override { return scalar(escape_references(value)); }
  std::string allowed(const vocabulary& /*words*/) const override { return allowed_; }
  std::string hint(const node& n, const vocabulary& /*words*/) const override { return quotes_hint(n); }
  nlohmann::ordered_json json_schema(const vocabulary& /*words*/) const override { return text_schema(may_be_empty_); }

 private:
  std::string allowed_;
  bool may_be_empty_;
  std::function<bool(std::string_view)> accepts_;
};

class sha256_shape final : public shape<std::string> {
 public:
  bool read(const node& n, const std::string& /*path*/, std::string& out, read_context& /*context*/) const override {
    if (n.type != node::kind::scalar || n.text.size() != 64) return false;
    const auto is_digit = [](unsigned char c) { return std::isxdigit(c) != 0; };
    if (!std::all_of(n.text.begin(), n.text.end(), is_digit)) return false;
    out = n.text;
    return true;
  }

  node write(const std::string& value, path_style /*style*/) const override { return scalar(value); }
  std::string allowed(const vocabulary& /*words*/) const override {
    return "64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints them";
  }
  bool is_secret() const override { return true; }

  nlohmann::ordered_json json_schema(const vocabulary& /*words*/) const override {
    return {{"type", "string"}, {"pattern", R"(^([0-9A-Fa-f]{64}|.*\$\{.+\}.*)$)"}};
  }
};

class word_shape final : public shape<std::string> {
 public:
  word_shape(std::vector<std::string> vocabulary::*known, std::vector<std::string> more)
      : known_{known}, more_{std::move(more)} {}

  bool read(const node& n, const std::string& /*path*/, std::string& out, read_context& context) const override {
    if (n.type != node::kind::scalar) return false;
    out = n.text;
    const auto known = all(context.words);
    return std::find(known.begin(), known.end(), n.text) != known.end();
  }

  node write(const std::string& value, path_style /*style*/) const override { return scalar(value); }
  std::string allowed(const vocabulary& words) const override { return enumerate(all(words)); }

  std::string hint(const node& n, const vocabulary& words) const override {
    return n.type == node::kind::scalar ? did_you_mean(n.text, all(words)) : std::string{};
  }

  nlohmann::ordered_json json_schema(const vocabulary& words) const override { return {{"enum", all(words)}}; }

 private:
  [[nodiscard]] std::vector<std::string> all(const vocabulary& words) const {
    auto result = more_;
    result.insert(result.end(), (words.*known_).begin(), (words.*known_).end());
    return result;
  }

  std::vector<std::string> vocabulary::*known_;
  std::vector<std::string> more_;
};

std::string from_base(const std::filesystem::path& base, const std::filesystem::path& p) {
  return (base / p).lexically_normal().string();
}

std::string written(const std::filesystem::path& p, path_style style) {
  if (p.empty() || style == path_style::as_is) return escape_references(p.string());
  std::error_code error; // only fails where the working directory is gone; then the path stays relative
  const auto absolute = std::filesystem::absolute(p, error);
  return escape_references((error ? p : absolute).lexically_normal().string());
}

class path_shape final : public shape<std::filesystem::path> {
 public:
  explicit path_shape(bool may_be_empty) : may_be_empty_{may_be_empty} {}

  bool read(const node& n, const std::string& /*path*/, std::filesystem::path& out,
            read_context& context) const override {
    if (n.type != node::kind::scalar) return false;
    out = n.text.empty() ? "" : from_base(context.base, n.text);
    return n.text.empty() ? may_be_empty_ : n.text.find('\0') == std::string::npos;
  }

  void absent(const std::string& /*path*/, const place& /*parent*/, std::filesystem::path& out,
              read_context& context) const override {
    if (!out.empty()) out = from_base(context.base, out);
  }

  node write(const std::filesystem::path& value, path_style style) const override {
    return scalar(written(value, style));
  }
  std::string allowed(const vocabulary& /*words*/) const override { return "a path"; }
  std::string hint(const node& n, const vocabulary& /*words*/) const override { return quotes_hint(n); }
  nlohmann::ordered_json json_schema(const vocabulary& /*words*/) const override { return text_schema(may_be_empty_); }

 private:
  bool may_be_empty_;
};

class uri_shape final : public shape<std::string> {
 public:
  bool read(const node& n, const std::string& /*path*/, std::string& out, read_context& context) const override {
    if (n.type != node::kind::scalar || n.text.empty() || n.text.find('\0') != std::string::npos) return false;
    out = is_file(n.text) ? from_base(context.base, local_path(n.text)) : n.text;
    return true;
  }

  node write(const std::string& value, path_style style) const override {
    return scalar(is_file(value) ? written(value, style) : escape_references(value));
  }

  std::string allowed(const vocabulary& /*words*/) const override {
    return "a file, glob, folder, V4L2 device, rtsp://…, rtmp://…, http(s)://…, push://NAME or synthetic://…";
  }

  std::string hint(const node& n, const vocabulary& /*words*/) const override { return quotes_hint(n); }

  nlohmann::ordered_json json_schema(const vocabulary& /*words*/) const override { return text_schema(false); }

 private:
  static bool is_file(std::string_view uri) {
    const auto kind = classify(uri);
    return kind == source_kind::video || kind == source_kind::pictures;
  }
};

bool is_port(std::string_view s) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), port);
  return error == std::errc{} && end == s.data() + s.size() && port <= 65535;
}

bool is_host_port(std::string_view s) {
  const auto colon = s.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || !is_port(s.substr(colon + 1))) return false;
  const auto host = s.substr(0, colon);
  if (host.front() == '[') return host.size() > 2 && host.back() == ']'; // an IPv6 address
  return host.find_first_of(":/[] ") == std::string_view::npos;
}

bool is_name(std::string_view s) {
  if (s.front() == '.') return false;
  for (const auto c : s) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

bool is_origin(std::string_view s) {
  if (s == "*") return true;
  const auto scheme = s.find("://");
  return scheme != std::string_view::npos && scheme > 0 && scheme + 3 < s.size() &&
         s.find_first_of("/?#, \t\r\n", scheme + 3) == std::string_view::npos;
}

} // namespace

shape_of<std::string> text(bool may_be_empty) {
  return std::make_shared<text_shape>("text", may_be_empty, [](std::string_view) { return true; });
}

shape_of<std::string> name() {
  return std::make_shared<text_shape>("letters, digits, '.', '_' and '-', not starting with '.'", false, is_name);
}

shape_of<std::string> word(std::vector<std::string> vocabulary::*known, std::vector<std::string> more) {
  return std::make_shared<word_shape>(known, std::move(more));
}

shape_of<std::string> tcp_address() {
  constexpr std::string_view scheme = "tcp://";
  return std::make_shared<text_shape>("tcp://HOST:PORT, or \"\" for none", true, [scheme](std::string_view s) {
    return s.substr(0, scheme.size()) == scheme && is_host_port(s.substr(scheme.size()));
  });
}

shape_of<std::string> host_port() {
  return std::make_shared<text_shape>("HOST:PORT, or \"\" for none", true, is_host_port);
}

shape_of<std::string> sha256() { return std::make_shared<sha256_shape>(); }

shape_of<std::string> origin() {
  return std::make_shared<text_shape>("*, or SCHEME://HOST[:PORT] without a path", false, is_origin);
}

shape_of<std::filesystem::path> path(bool may_be_empty) { return std::make_shared<path_shape>(may_be_empty); }

shape_of<std::string> uri() { return std::make_shared<uri_shape>(); }

} // namespace penstock::topology
