#include "jobs/nats/connection.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fmt/format.h>
#include <thread>

namespace penstock::jobs::nats {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// A new leader is there after 4 to 8 s (docs/jobs.md).
constexpr auto request_limit = 3s;
constexpr auto whole_limit = 20s;
constexpr auto first_pause = 20ms;
constexpr auto longest_pause = 1'000ms;
constexpr auto connect_limit = 5s;

template <class T, void (*Destroy)(T*)>
struct destroyer {
  void operator()(T* handle) const { Destroy(handle); }
};
using options_handle = std::unique_ptr<natsOptions, destroyer<natsOptions, natsOptions_Destroy>>;
using message_handle = std::unique_ptr<natsMsg, destroyer<natsMsg, natsMsg_Destroy>>;
using subscription_handle = std::unique_ptr<natsSubscription, destroyer<natsSubscription, natsSubscription_Destroy>>;

tl::unexpected<core::error> failed(const std::string& place, natsStatus status) {
  const auto code = [status] {
    switch (status) {
    case NATS_TIMEOUT: return core::errc::timeout;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_INVALID_ARG:
    case NATS_SSL_ERROR: return core::errc::bad_config;
    case NATS_NO_MEMORY:
    case NATS_ERR: return core::errc::io;
    default: return core::errc::unavailable;
    }
  }();
  return core::fail(code, fmt::format("{}: {}", place, natsStatus_GetText(status)));
}

/// Whether the same request may have more luck.
bool is_passing(natsStatus status) {
  switch (status) {
  case NATS_TIMEOUT:
  case NATS_NO_RESPONDERS:
  case NATS_NO_SERVER:
  case NATS_CONNECTION_DISCONNECTED:
  case NATS_STALE_CONNECTION:
  case NATS_IO_ERROR:
  case NATS_INSUFFICIENT_BUFFER: return true;
  default: return false;
  }
}

/// JetStream's codes for "not now": no leader, a server that is starting or busy, resources.
bool is_passing(const api_answer& answer) {
  constexpr std::array codes{10002, 10008, 10009, 10023, 10077, 10118};
  return std::find(codes.begin(), codes.end(), answer.error) != codes.end();
}

/// Servers may answer anything; what is no error is none that is known.
void read_error(const nlohmann::json& from, api_answer& out) {
  out.error = -1;
  if (!from.is_object()) return;
  for (const auto* name : {"code", "err_code"}) {
    const auto found = from.find(name);
    if (found != from.end() && found->is_number_integer()) out.error = found->get<int>();
  }
  const auto found = from.find("description");
  if (found != from.end() && found->is_string()) out.description = found->get<std::string>();
}

template <class Answer>
struct attempt {
  core::expected<Answer> answer;
  bool again = false; ///< another may have more luck
};

/// Repeats what came to nothing, with longer and longer pauses, until the whole time limit.
template <class Answer, class Once>
core::expected<Answer> again(Once once) {
  const auto end = clock::now() + whole_limit;
  std::chrono::milliseconds pause = first_pause;
  while (true) {
    auto made = once();
    if (!made.again || clock::now() + pause > end) return std::move(made.answer);
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::milliseconds>(2 * pause, longest_pause);
  }
}

message taken(natsMsg* from) {
  message out;
  out.data.assign(natsMsg_GetData(from), static_cast<std::size_t>(natsMsg_GetDataLength(from)));
  if (const auto* reply = natsMsg_GetReply(from)) out.reply = reply;
  const char* status = nullptr;
  if (natsMsgHeader_Get(from, "Status", &status) == NATS_OK && status != nullptr) {
    const std::string_view text{status};
    std::from_chars(text.data(), text.data() + text.size(), out.status);
  }
  return out;
}

} // namespace

tl::unexpected<core::error> refused(const std::string& what, const api_answer& answer) {
  return core::fail(core::errc::io, fmt::format("{}: {} (JetStream error {})", what, answer.description, answer.error));
}

core::expected<std::shared_ptr<connection>> connection::open(const address& to) {
  std::shared_ptr<connection> made{new connection};
  // Without user and password, which an address may hold.
  const auto& first = to.servers.front();
  const auto at = first.find('@');
  made->place_ = at == std::string::npos ? first : "nats://" + first.substr(at + 1);
  natsOptions* raw = nullptr;
  if (const auto status = natsOptions_Create(&raw); status != NATS_OK) return failed(made->place_, status);
  const options_handle options{raw};
  std::vector<const char*> servers;
  for (const auto& each : to.servers) servers.push_back(each.c_str());
  constexpr int for_ever = -1;
  const auto set = [](natsStatus& sum, natsStatus status) {
    if (sum == NATS_OK) sum = status;
  };
  natsStatus status = NATS_OK;
  set(status, natsOptions_SetServers(raw, servers.data(), static_cast<int>(servers.size())));
  set(status, natsOptions_SetName(raw, "penstock"));
  set(status, natsOptions_SetTimeout(raw, std::chrono::milliseconds{connect_limit}.count()));
  set(status, natsOptions_SetMaxReconnect(raw, for_ever));
  set(status, natsOptions_SetReconnectWait(raw, 250));
  set(status, natsOptions_SetPingInterval(raw, 5'000));
  if (!to.credentials.empty()) {
    set(status, natsOptions_SetUserCredentialsFromFiles(raw, to.credentials.c_str(), nullptr));
  }
  if (status != NATS_OK) return failed(made->place_, status);
  natsConnection* handle = nullptr;
  status = natsConnection_Connect(&handle, raw);
  if (status != NATS_OK) return failed(made->place_, status);
  made->handle_.reset(handle);
  return made;
}

connection::~connection() = default;

core::expected<message> connection::request(const std::string& subject, std::string_view data, const headers& with) {
  return again<message>([&]() -> attempt<message> {
    natsMsg* raw = nullptr;
    auto status = natsMsg_Create(&raw, subject.c_str(), nullptr, data.data(), static_cast<int>(data.size()));
    const message_handle asked{raw};
    for (const auto& [name, value] : with) {
      if (status == NATS_OK) status = natsMsgHeader_Set(raw, name.c_str(), value.c_str());
    }
    natsMsg* answer = nullptr;
    if (status == NATS_OK) {
      status = natsConnection_RequestMsg(&answer, handle_.get(), raw, std::chrono::milliseconds{request_limit}.count());
    }
    const message_handle owned{answer};
    if (status == NATS_OK) return {taken(answer), false};
    return {failed(place_, status), is_passing(status)};
  });
}

core::expected<api_answer> connection::api(const std::string& subject, std::string_view data, const headers& with) {
  return again<api_answer>([&]() -> attempt<api_answer> {
    auto answer = request(subject, data, with);
    if (!answer) return {tl::unexpected{answer.error()}, false}; // has been tried for long enough
    api_answer out;
    out.body = nlohmann::json::parse(answer->data, nullptr, false);
    if (!out.body.is_object()) return {core::fail(core::errc::corrupt, place_ + ": an answer that is none"), false};
    if (const auto found = out.body.find("error"); found != out.body.end()) {
      read_error(*found, out);
      if (is_passing(out)) {
        return {core::fail(core::errc::unavailable, fmt::format("{}: {}", place_, out.description)), true};
      }
    }
    return {std::move(out), false};
  });
}

core::expected<message> connection::ask(const std::string& subject, std::string_view data) {
  natsInbox* inbox = nullptr;
  if (const auto status = natsInbox_Create(&inbox); status != NATS_OK) return failed(place_, status);
  const std::unique_ptr<natsInbox, destroyer<natsInbox, natsInbox_Destroy>> owned_inbox{inbox};
  natsSubscription* raw = nullptr;
  auto status = natsConnection_SubscribeSync(&raw, handle_.get(), inbox);
  const subscription_handle subscription{raw};
  if (status == NATS_OK) {
    status = natsConnection_PublishRequest(handle_.get(), subject.c_str(), inbox, data.data(),
                                           static_cast<int>(data.size()));
  }
  natsMsg* came = nullptr;
  if (status == NATS_OK) {
    status = natsSubscription_NextMsg(&came, raw, std::chrono::milliseconds{request_limit}.count());
  }
  const message_handle owned{came};
  if (status != NATS_OK) return failed(place_, status);
  return taken(came);
}

} // namespace penstock::jobs::nats
