#include "cli/http_client.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace penstock::cli {

namespace {

constexpr std::size_t most_body = std::size_t{32} << 20U;
constexpr long connect_ms = 5000;

struct free_list {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using header_list = std::unique_ptr<curl_slist, free_list>;

struct free_url {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

/// A request under way.
struct exchange {
  explicit exchange(const http_request& r) : request{r} {}

  const http_request& request;
  http_response reply;
  std::uint64_t offset = 0; ///< in the body that is sent
  std::uint64_t received = 0;
  std::optional<std::uint64_t> announced; ///< Content-Length of the reply
  bool headed = false;                    ///< its headers are complete
  std::optional<core::error> failure;     ///< of this side

  /// All of the reply is there, whether or not the body has been sent.
  [[nodiscard]] bool complete() const { return headed && reply.status >= 200 && announced && received >= *announced; }
};

std::size_t give_body(char* to, std::size_t, std::size_t room, void* of) {
  auto& x = *static_cast<exchange*>(of);
  const auto left = x.request.body_bytes - x.offset;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(room, left));
  const auto got = ::pread(x.request.body_fd, to, wanted, static_cast<off_t>(x.offset));
  if (got < 0 || (got == 0 && wanted > 0)) {
    x.failure = core::error{core::errc::io, got < 0 ? std::strerror(errno) : "became shorter while it was sent"};
    return CURL_READFUNC_ABORT;
  }
  x.offset += static_cast<std::uint64_t>(got);
  if (x.request.sent) x.request.sent(x.offset);
  return static_cast<std::size_t>(got);
}

int seek_body(void* of, curl_off_t to, int origin) {
  auto& x = *static_cast<exchange*>(of);
  if (origin != SEEK_SET || to < 0) return CURL_SEEKFUNC_FAIL;
  x.offset = static_cast<std::uint64_t>(to);
  return CURL_SEEKFUNC_OK;
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* of) {
  auto& x = *static_cast<exchange*>(of);
  x.received += size;
  if (x.request.take && x.reply.status / 100 == 2) {
    if (x.request.take({data, size})) return size;
    x.failure = core::error{core::errc::cancelled, "the reply is not taken any more"};
    return 0;
  }
  if (x.reply.body.size() + size > most_body) {
    x.failure = core::error{core::errc::too_large, fmt::format("a reply of more than {} bytes", most_body)};
    return 0;
  }
  x.reply.body.append(data, size);
  return size;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* of) {
  auto& x = *static_cast<exchange*>(of);
  std::string_view line{data, size};
  if (line.starts_with("HTTP/")) { // of an answer that comes before the real one, too
    x.announced.reset();
    x.headed = false;
    x.reply.status = 0;
    line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
    std::from_chars(line.data(), line.data() + line.size(), x.reply.status);
    if (x.reply.status == 204 || x.reply.status == 304) x.announced = 0;
    return size;
  }
  if (line == "\r\n" || line == "\n") x.headed = true;
  const auto colon = line.find(':');
  constexpr std::string_view length = "content-length";
  const auto same = [](char lower, char b) { return lower == std::tolower(static_cast<unsigned char>(b)); };
  if (colon == length.size() && std::equal(length.begin(), length.end(), line.begin(), same)) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
    std::uint64_t bytes = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), bytes).ec == std::errc{}) x.announced = bytes;
  }
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

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

void set_all(CURL* easy, exchange& x, char* why) {
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_ERRORBUFFER, why);
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  if (x.request.silence.count() > 0) {
    set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(x.request.silence.count()));
  }
  set(easy, CURLOPT_WRITEFUNCTION, take_body);
  set(easy, CURLOPT_WRITEDATA, &x);
  set(easy, CURLOPT_HEADERFUNCTION, take_header);
  set(easy, CURLOPT_HEADERDATA, &x);
  if (x.request.body_fd >= 0) {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(x.request.body_bytes));
    set(easy, CURLOPT_READFUNCTION, give_body);
    set(easy, CURLOPT_READDATA, &x);
    set(easy, CURLOPT_SEEKFUNCTION, seek_body);
    set(easy, CURLOPT_SEEKDATA, &x);
  } else if (x.request.method == "POST") {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDS, "");
    set(easy, CURLOPT_POSTFIELDSIZE, 0L);
  }
  set(easy, CURLOPT_CUSTOMREQUEST, x.request.method.c_str());
}

} // namespace

struct http_client::handles {
  struct close_easy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct close_multi {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  std::unique_ptr<CURL, close_easy> easy{curl_easy_init()};
  std::unique_ptr<CURLM, close_multi> multi{curl_multi_init()}; ///< keeps the connections
};

core::expected<http_address> read_address(const std::string& url) {
  const auto wrong = [](std::string_view why) {
    return core::fail(core::errc::bad_config, fmt::format("URL: {}", why));
  };
  const std::unique_ptr<CURLU, free_url> parsed{curl_url()};
  const auto whole = url.find("://") == std::string::npos ? "http://" + url : url;
  if (curl_url_set(parsed.get(), CURLUPART_URL, whole.c_str(), 0) != CURLUE_OK)
    return wrong("expected http://HOST:PORT or https://HOST:PORT");
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    std::string out;
    if (curl_url_get(parsed.get(), which, &text, 0) == CURLUE_OK) out = text;
    curl_free(text);
    return out;
  };
  const auto scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return wrong("expected http:// or https://");
  if (!part(CURLUPART_USER).empty() || !part(CURLUPART_PASSWORD).empty())
    return wrong("no user or password can stand in it; a token comes from a file or PENSTOCK_TOKEN");
  if (!part(CURLUPART_QUERY).empty() || !part(CURLUPART_FRAGMENT).empty()) return wrong("no query can stand in it");
  http_address out;
  const auto host = part(CURLUPART_HOST);
  const auto port = part(CURLUPART_PORT);
  out.place = scheme + "://" + host + (port.empty() ? "" : ":" + port);
  out.base = out.place + part(CURLUPART_PATH);
  while (out.base.ends_with('/')) out.base.pop_back();
  out.loopback = host == "localhost" || host == "[::1]" || host.starts_with("127.");
  return out;
}

http_client::http_client(http_address to, std::string ca) : to_{std::move(to)}, ca_{std::move(ca)} {
  static const auto ready = curl_global_init(CURL_GLOBAL_DEFAULT); // once
  static_cast<void>(ready);
  handles_ = std::make_unique<handles>();
}

http_client::~http_client() = default;
http_client::http_client(http_client&&) noexcept = default;
http_client& http_client::operator=(http_client&&) noexcept = default;

core::expected<http_response> http_client::ask(const http_request& request, const std::stop_token& stop) {
  auto* easy = handles_->easy.get();
  auto* multi = handles_->multi.get();
  if (easy == nullptr || multi == nullptr) return core::fail(core::errc::internal, "libcurl gives no handle");
  curl_easy_reset(easy);
  exchange x{request};
  header_list headers;
  const auto add = [&headers](const std::string& line) {
    auto* longer = curl_slist_append(headers.get(), line.c_str());
    static_cast<void>(headers.release());
    headers.reset(longer);
  };
  for (const auto& [name, value] : request.headers) add(name + ": " + value);
  if (request.method == "POST" && request.body_fd < 0) add("Content-Type:"); // none, where there is no body
  const auto url = to_.base + request.target;
  std::array<char, CURL_ERROR_SIZE> why{};
  set_all(easy, x, why.data());
  set(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_HTTPHEADER, headers.get());
  if (!ca_.empty()) set(easy, CURLOPT_CAINFO, ca_.c_str());
  if (to_.loopback) set(easy, CURLOPT_PROXY, "");

  const std::stop_callback wake{stop, [multi] { curl_multi_wakeup(multi); }};
  curl_multi_add_handle(multi, easy);
  std::optional<CURLcode> result;
  while (!result && !stop.stop_requested()) {
    int running = 0;
    if (curl_multi_perform(multi, &running) != CURLM_OK) result = CURLE_FAILED_INIT;
    for (int waiting = 0; const auto* told = curl_multi_info_read(multi, &waiting);)
      if (told->msg == CURLMSG_DONE) result = told->data.result;
    if (!result && x.complete() && x.offset < request.body_bytes) break; // nobody wants the rest of it
    if (!result) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
  curl_off_t pause = 0;
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &pause);
  curl_multi_remove_handle(multi, easy);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);

  if (x.failure) return tl::unexpected{*x.failure};
  if (result == CURLE_OK && !x.headed) // libcurl takes headers that were cut off
    return core::fail(core::errc::unavailable, to_.place + ": the connection ended within the reply");
  if (x.complete() || result == CURLE_OK) {
    x.reply.retry_after = std::chrono::seconds{pause};
    return std::move(x.reply);
  }
  if (!result) return core::fail(core::errc::cancelled, "asked to stop");
  const std::string_view text{why.data()};
  return core::fail(code_of(*result), fmt::format("{}: {}", to_.place,
                                                  text.empty() ? std::string_view{curl_easy_strerror(*result)} : text));
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  std::string out;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

} // namespace penstock::cli
