#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace penstock::test {

/// A server that the tests start. It ends with this program, however that ends.
class server {
 public:
  server() = default;
  /// `words` are the program and its arguments; its output goes to a file.
  server(std::vector<std::string> words, const std::filesystem::path& output);
  server(server&& other) noexcept;
  server& operator=(server&& other) noexcept;
  ~server(); ///< SIGTERM, and waits

  void stop(int signal);
  [[nodiscard]] bool is_running();

 private:
  pid_t pid_ = -1;
};

/// Full path of a program, or nullopt where there is none.
[[nodiscard]] std::optional<std::filesystem::path> find_program(const std::string& name);

/// A port of the loopback that is free now.
[[nodiscard]] int free_port();

/// Waits until something is so; false where it is not in time.
[[nodiscard]] bool wait_until(const std::function<bool()>& is_so, std::chrono::seconds at_most);

/// Whether somebody listens there.
[[nodiscard]] bool answers(int port);

} // namespace penstock::test
