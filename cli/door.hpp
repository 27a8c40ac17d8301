#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>

#include "cli/http_client.hpp"

namespace penstock::cli {

/// Where an HTTP door is, and how to come in.
struct door_options {
  std::string url = "http://127.0.0.1:8080";
  std::string token_file;
  std::string ca;
};

/// Adds `--token-file` and `--ca` to a command.
void add_door_options(CLI::App& command, door_options& options);

/// The token in a file, or else the one of the environment's PENSTOCK_TOKEN, or none. Error: bad_config.
[[nodiscard]] core::expected<std::string> read_token(const std::string& file);

/// Why a request was not answered as wanted.
struct door_trouble {
  core::error error;
  int status = 0;                      ///< 0: there was no answer
  std::chrono::seconds retry_after{0}; ///< when to come again, if the door said so

  /// The door is away or busy: trying again may work.
  [[nodiscard]] bool passes() const;
};

template <class T>
using door_expected = tl::expected<T, door_trouble>;

/// A client of a door. The token is sent and nowhere shown.
class door {
 public:
  /// Told before each pause: what was wrong and how long the pause is.
  using pause_told = std::function<void(const door_trouble& why, std::chrono::milliseconds pause)>;

  /// Reads the token: of the file, or else of the environment's PENSTOCK_TOKEN. Errors: bad_config (URL, token).
  [[nodiscard]] static core::expected<door> open(const door_options& options, std::stop_token stop);

  [[nodiscard]] const std::string& place() const noexcept { return client_.address().place; }
  [[nodiscard]] const std::stop_token& stop() const noexcept { return stop_; }

  /// Makes a request once; a status of 400 or more is trouble.
  [[nodiscard]] door_expected<http_response> ask(http_request request);

  /// Makes it again after a pause while the trouble passes: with backoff, no earlier than the door says, and until the
  /// pauses together are longer than `patience`. Only for requests that may come twice.
  [[nodiscard]] door_expected<http_response> insist(const http_request& request, std::chrono::milliseconds patience,
                                                    const pause_told& told);

  /// The document of a reply. Error: corrupt.
  [[nodiscard]] core::expected<nlohmann::json> document(const http_response& reply) const;

 private:
  door(http_client client, std::string token, std::stop_token stop)
      : client_{std::move(client)}, token_{std::move(token)}, stop_{std::move(stop)} {}
  [[nodiscard]] door_trouble refusal(const http_response& reply) const;

  http_client client_;
  std::string token_;
  std::stop_token stop_;
};

} // namespace penstock::cli
