#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/json_forms.hpp"
#include "topology/shape.hpp"
#include "topology/spelling.hpp"
#include "topology/stages_config.hpp"

/// The shapes of single values. Each function makes one; what is allowed stands in its messages.
namespace penstock::topology {

/// Free text, or nothing when `may_be_empty`.
[[nodiscard]] shape_of<std::string> text(bool may_be_empty = false);

/// Letters, digits, `.`, `_` and `-`, not starting with a dot: safe in file names, metrics and URLs.
[[nodiscard]] shape_of<std::string> name();

/// A word of the program's vocabulary, or one of `more`.
[[nodiscard]] shape_of<std::string> word(std::vector<std::string> vocabulary::*known,
                                         std::vector<std::string> more = {});

/// `tcp://HOST:PORT`; empty: none.
[[nodiscard]] shape_of<std::string> tcp_address();

/// `HOST:PORT`; empty: none.
[[nodiscard]] shape_of<std::string> host_port();

/// A path relative to the file. Written out absolute.
[[nodiscard]] shape_of<std::filesystem::path> path(bool may_be_empty = false);

/// A stream's URI: paths are relative to the file, URLs stay as they are.
[[nodiscard]] shape_of<std::string> uri();

/// The SHA-256 of a secret, in hexadecimal. Messages do not show what was found: it may be the secret.
[[nodiscard]] shape_of<std::string> sha256();

/// A site whose pages may ask: `SCHEME://HOST[:PORT]`, or `*` for all.
[[nodiscard]] shape_of<std::string> origin();

[[nodiscard]] shape_of<bool> boolean();

[[nodiscard]] shape_of<int> whole(int least, int most = std::numeric_limits<int>::max());

/// A number, or a fraction such as 1/255.
[[nodiscard]] shape_of<double> number(double least, double most = std::numeric_limits<double>::infinity());
[[nodiscard]] shape_of<float> number_f32(double least = -std::numeric_limits<double>::infinity(),
                                         double most = std::numeric_limits<double>::infinity());

/// `4ms`, `3s`, `5min`.
[[nodiscard]] shape_of<duration> time_span(duration least);

/// `HH:MM`, up to `24:00`.
[[nodiscard]] shape_of<std::chrono::minutes> time_of_day();

/// `+HH:MM`, `-HH:MM` or `Z`, up to 14 hours.
[[nodiscard]] shape_of<std::chrono::minutes> utc_offset();

/// `64MiB`.
[[nodiscard]] shape_of<std::int64_t> byte_count(std::int64_t least,
                                                std::int64_t most = std::numeric_limits<std::int64_t>::max());

/// `64Mpx`.
[[nodiscard]] shape_of<std::int64_t> pixel_count(std::int64_t least);

/// One number for all channels or a list of three.
[[nodiscard]] shape_of<std::array<float, 3>> per_channel();

/// `[WIDTH, HEIGHT]`.
[[nodiscard]] shape_of<size_px> size();

/// One of the names of an enumeration.
template <class E>
class choice_shape final : public shape<E> {
 public:
  explicit choice_shape(std::vector<std::pair<std::string_view, E>> names) : names_{std::move(names)} {}

  bool read(const node& n, const std::string& /*path*/, E& out, read_context& /*context*/) const override {
    if (n.type != node::kind::scalar) return false;
    for (const auto& [word, value] : names_) {
      if (word == n.text) {
        out = value;
        return true;
      }
    }
    return false;
  }

  node write(const E& value, path_style /*style*/) const override {
    for (const auto& [word, v] : names_) {
      if (v == value) return scalar(std::string{word});
    }
    return {};
  }

  std::string allowed(const vocabulary& /*words*/) const override { return enumerate(known()); }

  std::string hint(const node& n, const vocabulary& /*words*/) const override {
    return n.type == node::kind::scalar ? did_you_mean(n.text, known()) : std::string{};
  }

  nlohmann::ordered_json json_schema(const vocabulary& /*words*/) const override { return json_forms::word(known()); }

 private:
  [[nodiscard]] std::vector<std::string> known() const {
    std::vector<std::string> result;
    for (const auto& n : names_) result.emplace_back(n.first);
    return result;
  }

  std::vector<std::pair<std::string_view, E>> names_; ///< literals
};

template <class E>
[[nodiscard]] shape_of<E> choice(std::vector<std::pair<std::string_view, E>> names) {
  return std::make_shared<choice_shape<E>>(std::move(names));
}

} // namespace penstock::topology
