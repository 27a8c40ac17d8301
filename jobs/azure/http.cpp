#include "jobs/azure/http.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <curl/curl.h>
#include <fmt/format.h>

namespace penstock::jobs::azure {
namespace {

struct free_list {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using header_list = std::unique_ptr<curl_slist, free_list>;

struct receiver {
  http_response out;
  std::size_t limit = 0;
  bool too_large = false;
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* to) {
  auto& into = *static_cast<receiver*>(to);
  if (into.out.body.size() + size > into.limit) {
    into.too_large = true;
    return 0;
  }
  into.out.body.append(data, size);
  return size;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* to) {
  auto& into = *static_cast<receiver*>(to);
  const std::string_view line{data, size};
  if (line.starts_with("HTTP/")) into.out.headers.clear(); // of an answer that came before the real one
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name{line.substr(0, colon)};
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  auto value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front())) != 0) value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())) != 0) value.remove_suffix(1);
  into.out.headers[name] = value;
  return size;
}

core::errc code_of(CURLcode result) {
  switch (result) {
  case CURLE_OPERATION_TIMEDOUT: return core::errc::timeout;
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_PEER_FAILED_VERIFICATION: return core::errc::bad_config;
  default: return core::errc::unavailable;
  }
}

/// Scheme and host, without what may be secret.
std::string place_of(const std::string& url) {
  const auto host = url.find("://");
  return url.substr(0, url.find_first_of("/?", host == std::string::npos ? 0 : host + 3));
}

constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

} // namespace

struct http_client::handle {
  struct close {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  };
  std::unique_ptr<CURL, close> curl{curl_easy_init()};
};

std::string http_response::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string{} : found->second;
}

http_client::http_client(http_limits limits) : limits_{limits} {
  static const auto ready = curl_global_init(CURL_GLOBAL_DEFAULT); // once, before any thread uses it
  static_cast<void>(ready);
}

http_client::~http_client() = default;

std::unique_ptr<http_client::handle> http_client::borrow() {
  const std::lock_guard lock{mutex_};
  if (idle_.empty()) return std::make_unique<handle>();
  auto out = std::move(idle_.back());
  idle_.pop_back();
  return out;
}

void http_client::give_back(std::unique_ptr<handle> used) {
  constexpr std::size_t most_idle = 16;
  const std::lock_guard lock{mutex_};
  if (idle_.size() < most_idle) idle_.push_back(std::move(used));
}

core::expected<http_response> http_client::once(const http_request& request) {
  auto used = borrow();
  auto* curl = used->curl.get();
  if (curl == nullptr) return core::fail(core::errc::internal, "libcurl gives no handle");
  curl_easy_reset(curl); // keeps its connections
  receiver into;
  into.limit = limits_.body_bytes;
  header_list headers;
  const auto add = [&headers](const std::string& line) {
    auto* longer = curl_slist_append(headers.get(), line.c_str());
    static_cast<void>(headers.release());
    headers.reset(longer);
  };
  for (const auto& [name, value] : request.headers) add(value.empty() ? name + ";" : name + ": " + value);
  add("Expect:"); // no pause before a body
  const auto is_type = [](const auto& header) { return header.first == "Content-Type"; };
  if (std::none_of(request.headers.begin(), request.headers.end(), is_type)) add("Content-Type:");
  std::array<char, CURL_ERROR_SIZE> why{};
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.whole.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &into);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &into);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST" || request.method == "PATCH") {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const auto result = curl_easy_perform(curl);
  if (into.too_large) {
    return core::fail(core::errc::too_large,
                      fmt::format("{}: an answer of more than {} bytes", place_of(request.url), into.limit));
  }
  if (result != CURLE_OK) {
    // The handle's connection is in an unknown state: it is not used again.
    const std::string_view text{why.data()};
    return core::fail(code_of(result), fmt::format("{}: {}", place_of(request.url),
                                                   text.empty() ? std::string_view{curl_easy_strerror(result)} : text));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  into.out.status = static_cast<int>(status);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  give_back(std::move(used));
  return std::move(into.out);
}

std::string http_date(std::chrono::system_clock::time_point time) {
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time - day)};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[std::chrono::weekday{day}.c_encoding()],
                     static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::int64_t parse_http_date(const std::string& text) {
  const auto seconds = curl_getdate(text.c_str(), nullptr);
  return seconds < 0 ? -1 : std::int64_t{seconds} * 1'000;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (unreserved.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && text.size() - i > 2) {
      const auto* digits = text.data() + i + 1;
      const auto read = std::from_chars(digits, digits + 2, value, 16);
      if (read.ec == std::errc{} && read.ptr == digits + 2) {
        out += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

} // namespace penstock::jobs::azure
