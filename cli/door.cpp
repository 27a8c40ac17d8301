#include "cli/door.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <random>

#include "cli/signal_watch.hpp"
#include "cli/terminal.hpp"
#include "media/backoff.hpp"

namespace penstock::cli {

namespace {

constexpr std::size_t most_token = 4096;
constexpr std::size_t most_said = 400; // of a refusal

core::errc code_of(int status) {
  switch (status) {
  case 404: return core::errc::not_found;
  case 408:
  case 429:
  case 502:
  case 503:
  case 504: return core::errc::unavailable;
  case 413: return core::errc::too_large;
  case 415:
  case 501: return core::errc::unsupported;
  case 422: return core::errc::corrupt;
  default: return status >= 500 ? core::errc::internal : core::errc::invalid_argument;
  }
}

} // namespace

core::expected<std::string> read_token(const std::string& file) {
  std::string token;
  const auto from = file.empty() ? std::string{"PENSTOCK_TOKEN"} : file;
  if (file.empty()) {
    const char* set = std::getenv("PENSTOCK_TOKEN");
    if (set == nullptr) return std::string{};
    token = set;
  } else {
    std::ifstream in{file};
    token.resize(most_token + 1);
    in.read(token.data(), static_cast<std::streamsize>(token.size()));
    if (in.bad() || !in.is_open()) return core::fail(core::errc::bad_config, file + ": cannot be read");
    token.resize(static_cast<std::size_t>(in.gcount()));
  }
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  const auto printed = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (token.empty() || token.size() > most_token || !std::ranges::all_of(token, printed))
    return core::fail(core::errc::bad_config, from + ": is no token (one word of printable characters)");
  return token;
}

bool door_trouble::passes() const { return error.code == core::errc::unavailable || error.code == core::errc::timeout; }

void add_door_options(CLI::App& command, door_options& options) {
  command.add_option("--token-file", options.token_file, "File with the token; or set PENSTOCK_TOKEN")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command.add_option("--ca", options.ca, "PEM file of the authorities to trust with https, instead of the system's")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
}

core::expected<door> door::open(const door_options& options, std::stop_token stop) {
  auto address = read_address(options.url);
  if (!address) return tl::unexpected{address.error()};
  auto token = read_token(options.token_file);
  if (!token) return tl::unexpected{token.error()};
  return door{http_client{std::move(*address), options.ca}, std::move(*token), std::move(stop)};
}

door_trouble door::refusal(const http_response& reply) const {
  std::string said;
  const auto body = nlohmann::json::parse(reply.body, nullptr, false);
  if (body.is_object() && body.contains("error") && body["error"].is_object() && body["error"].contains("message") &&
      body["error"]["message"].is_string())
    said = body["error"]["message"];
  // Whoever stands between may repeat what it was sent.
  for (std::size_t at = 0; !token_.empty() && (at = said.find(token_, at)) != std::string::npos;)
    said.replace(at, token_.size(), "…");
  said = cut(printable(said), most_said);
  auto message = fmt::format("{}: refused ({}){}{}", place(), reply.status, said.empty() ? "" : ": ", said);
  if (reply.status == 401)
    message += token_.empty() ? "; give a token with --token-file or PENSTOCK_TOKEN" : "; it does not know this token";
  if (reply.status == 403) message += "; this token may not do that";
  return {{code_of(reply.status), std::move(message)}, reply.status, reply.retry_after};
}

door_expected<http_response> door::ask(http_request request) {
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  auto reply = client_.ask(request, stop_);
  if (!reply) return tl::unexpected{door_trouble{reply.error(), 0, {}}};
  if (reply->status < 200 || reply->status >= 300) return tl::unexpected{refusal(*reply)};
  return std::move(*reply);
}

door_expected<http_response> door::insist(const http_request& request, std::chrono::milliseconds patience,
                                          const pause_told& told) {
  media::backoff backoff{{std::chrono::milliseconds{200}, std::chrono::milliseconds{30'000}}};
  std::minstd_rand jitter{std::random_device{}()};
  std::chrono::milliseconds paused{0};
  for (;;) {
    auto reply = ask(request);
    if (reply || !reply.error().passes()) return reply;
    const auto pause = std::max<std::chrono::milliseconds>(backoff.next(jitter), reply.error().retry_after);
    paused += pause;
    if (paused > patience) return reply;
    if (told) told(reply.error(), pause);
    if (!rest(pause, stop_)) return tl::unexpected{door_trouble{{core::errc::cancelled, "asked to stop"}, 0, {}}};
  }
}

core::expected<nlohmann::json> door::document(const http_response& reply) const {
  auto read = nlohmann::json::parse(reply.body, nullptr, false);
  if (!read.is_object()) return core::fail(core::errc::corrupt, place() + ": the reply is no JSON document");
  return read;
}

} // namespace penstock::cli
