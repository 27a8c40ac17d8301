#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::bench {

/// Command line of a benchmark: `--name VALUE` pairs out of a known set, and everything else in order.
class arguments {
 public:
  /// `known` maps each option to its default; an unknown option, a missing value or no `positional` prints `usage` and
  /// ends the program with 64.
  arguments(int argc, char** argv, std::map<std::string, std::string, std::less<>> known, std::string_view usage)
      : options_{std::move(known)} {
    for (int i = 1; i < argc; ++i) {
      const std::string_view word{argv[i]};
      if (!word.starts_with("--")) {
        rest_.emplace_back(word);
        continue;
      }
      const auto option = options_.find(word.substr(2));
      if (option == options_.end() || ++i == argc) stop(usage);
      option->second = argv[i];
    }
  }

  [[nodiscard]] const std::string& operator[](std::string_view name) const { return options_.find(name)->second; }
  [[nodiscard]] double number(std::string_view name) const { return std::stod((*this)[name]); }
  [[nodiscard]] int integer(std::string_view name) const { return std::stoi((*this)[name]); }
  [[nodiscard]] const std::vector<std::string>& rest() const { return rest_; }

  [[noreturn]] static void stop(std::string_view usage) {
    std::fprintf(stderr, "usage: %.*s\n", static_cast<int>(usage.size()), usage.data());
    std::exit(64);
  }

 private:
  std::map<std::string, std::string, std::less<>> options_;
  std::vector<std::string> rest_;
};

} // namespace penstock::bench
