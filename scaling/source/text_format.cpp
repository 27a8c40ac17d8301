#include "scaling/source/text_format.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>

namespace penstock::scaling {
namespace {

constexpr std::size_t most_samples = 1'000'000;
constexpr std::size_t most_labels = 64;

bool starts_name(char c, bool with_colon) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || (with_colon && c == ':');
}

bool goes_on_name(char c, bool with_colon) {
  return starts_name(c, with_colon) || std::isdigit(static_cast<unsigned char>(c)) != 0;
}

std::optional<double> number_of(std::string_view text) {
  const auto* const end = text.data() + text.size();
  auto unsigned_text = text;
  const auto minus = text.starts_with('-');
  if (minus || text.starts_with('+')) unsigned_text.remove_prefix(1);
  if (unsigned_text == "Inf") {
    return minus ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  // from_chars knows words of its own, and no plus.
  if (unsigned_text.empty() ||
      (std::isdigit(static_cast<unsigned char>(unsigned_text.front())) == 0 && unsigned_text.front() != '.')) {
    return std::nullopt;
  }
  double out = 0;
  const auto read = std::from_chars(unsigned_text.data(), end, out);
  if (read.ptr != end || read.ec == std::errc::invalid_argument) return std::nullopt;
  // Too large or too small for a double: as Prometheus rounds it.
  if (read.ec == std::errc::result_out_of_range) {
    const auto exponent = unsigned_text.find_first_of("eE");
    const auto is_small = exponent != std::string_view::npos && unsigned_text.substr(exponent + 1).starts_with('-');
    out = is_small ? 0 : std::numeric_limits<double>::infinity();
  }
  return minus ? -out : out;
}

/// Reads one line from its start to its end.
class line_reader {
 public:
  explicit line_reader(std::string_view line) : left_{line} {}

  void skip_blanks() {
    while (!left_.empty() && (left_.front() == ' ' || left_.front() == '\t')) left_.remove_prefix(1);
  }

  bool take(char c) {
    if (!left_.starts_with(c)) return false;
    left_.remove_prefix(1);
    return true;
  }

  std::string_view name(bool with_colon) {
    std::size_t size = 0;
    if (!left_.empty() && starts_name(left_.front(), with_colon)) {
      while (size < left_.size() && goes_on_name(left_[size], with_colon)) ++size;
    }
    return cut(size);
  }

  std::string_view word() { return cut(std::min(left_.find_first_of(" \t"), left_.size())); }

  /// A label's value up to its closing quote; nullopt for an escape that there is not, or no end.
  std::optional<std::string> quoted() {
    std::string out;
    while (!left_.empty()) {
      const auto c = left_.front();
      left_.remove_prefix(1);
      if (c == '"') return out;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (left_.empty()) return std::nullopt;
      const auto escaped = left_.front();
      left_.remove_prefix(1);
      if (escaped == 'n') {
        out += '\n';
      } else if (escaped == '\\' || escaped == '"') {
        out += escaped;
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] bool at_end() const { return left_.empty(); }

 private:
  std::string_view cut(std::size_t size) {
    const auto out = left_.substr(0, size);
    left_.remove_prefix(size);
    return out;
  }

  std::string_view left_;
};

class parser {
 public:
  explicit parser(std::string_view prefix) : prefix_{prefix} {}

  /// What is wrong with the line, or null.
  const char* read(std::string_view line) {
    line_reader in{line};
    in.skip_blanks();
    if (in.at_end()) return nullptr;
    return in.take('#') ? comment(in) : sample(in);
  }

  std::vector<metric_sample> out;

 private:
  const char* comment(line_reader& in) {
    in.skip_blanks();
    const auto what = in.word();
    if (what != "HELP" && what != "TYPE") return nullptr; // a comment for people
    in.skip_blanks();
    const auto name = in.name(true);
    if (name.empty()) return "HELP or TYPE without a metric's name";
    if (what == "HELP") return nullptr;
    in.skip_blanks();
    const auto type = in.word();
    in.skip_blanks();
    constexpr std::array<std::string_view, 5> types{"counter", "gauge", "histogram", "summary", "untyped"};
    if (std::find(types.begin(), types.end(), type) == types.end() || !in.at_end()) return "a type that there is not";
    if (!typed_.emplace(name).second) return "a second TYPE of the same metric";
    if (sampled_.contains(name)) return "a TYPE after the metric's samples";
    return nullptr;
  }

  const char* sample(line_reader& in) {
    metric_sample made;
    made.name = in.name(true);
    if (made.name.empty()) return "no metric's name at the start";
    in.skip_blanks();
    if (in.take('{')) {
      if (const auto* wrong = labels(in, made)) return wrong;
      in.skip_blanks();
    }
    const auto value = number_of(in.word());
    if (!value) return "no number where the value is expected";
    made.value = *value;
    in.skip_blanks();
    if (const auto stamp = in.word(); !stamp.empty()) {
      std::int64_t ms = 0;
      const auto read = std::from_chars(stamp.data(), stamp.data() + stamp.size(), ms);
      if (read.ec != std::errc{} || read.ptr != stamp.data() + stamp.size()) return "a time stamp that is no number";
      in.skip_blanks();
    }
    if (!in.at_end()) return "more than a value and a time stamp";
    sampled_.emplace(made.name);
    if (made.name.starts_with(prefix_)) out.push_back(std::move(made));
    return nullptr;
  }

  static const char* labels(line_reader& in, metric_sample& into) {
    while (true) {
      in.skip_blanks();
      if (in.take('}')) return nullptr;
      const auto key = in.name(false);
      if (key.empty()) return "no label's name where one is expected";
      in.skip_blanks();
      if (!in.take('=')) return "no '=' after a label's name";
      in.skip_blanks();
      if (!in.take('"')) return "no quote before a label's value";
      auto value = in.quoted();
      if (!value) return "a label's value with a wrong escape or no end";
      if (into.labels.size() == most_labels) return "too many labels";
      if (!into.labels.emplace(key, std::move(*value)).second) return "a label twice";
      in.skip_blanks();
      if (in.take(',')) continue;
      if (!in.take('}')) return "neither ',' nor '}' after a label";
      return nullptr;
    }
  }

  std::string_view prefix_;
  std::set<std::string, std::less<>> typed_;
  std::set<std::string, std::less<>> sampled_;
};

} // namespace

std::string metric_sample::label(const std::string& key) const {
  const auto found = labels.find(key);
  return found == labels.end() ? std::string{} : found->second;
}

core::expected<std::vector<metric_sample>> parse_text_format(std::string_view text, std::string_view prefix) {
  parser lines{prefix};
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const auto where = "metrics: line " + std::to_string(number) + ": ";
    if (end == std::string_view::npos) return core::fail(core::errc::corrupt, where + "does not end: cut off?");
    if (const auto* wrong = lines.read(text.substr(0, end))) return core::fail(core::errc::corrupt, where + wrong);
    if (lines.out.size() > most_samples) return core::fail(core::errc::too_large, where + "too many samples");
    text.remove_prefix(end + 1);
  }
  return std::move(lines.out);
}

} // namespace penstock::scaling
