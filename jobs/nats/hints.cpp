#include "jobs/nats/hints.hpp"

#include <chrono>
#include <mutex>
#include <utility>

#include "jobs/nats/streams.hpp"

namespace penstock::jobs::nats {
namespace {

using nlohmann::json;

constexpr const char* consumer = "workers";

std::int64_t nanoseconds(milliseconds time) { return std::chrono::nanoseconds{time}.count(); }

/// Stream and consumer, unless they are there.
core::expected<void> make(connection& over, const address& to) {
  const auto stream = to.name + "-hints";
  const json settings{{"name", stream},
                      {"subjects", {to.name + ".hints"}},
                      {"retention", "workqueue"},
                      {"max_msgs", -1},
                      {"max_bytes", -1},
                      {"max_consumers", -1},
                      {"max_msgs_per_subject", -1},
                      {"discard", "new"},
                      {"storage", "file"},
                      {"num_replicas", to.replicas}};
  if (auto made = make_stream(over, stream, settings); !made) return made;
  // Unbounded deliveries: a message that reached a bound would stay in the stream and block it. Attempts are counted in
  // the ledger.
  const json wanted{{"stream_name", stream},
                    {"config",
                     {{"durable_name", consumer},
                      {"ack_policy", "explicit"},
                      {"deliver_policy", "all"},
                      {"replay_policy", "instant"},
                      {"ack_wait", nanoseconds(to.ack_wait)},
                      {"max_deliver", -1},
                      {"max_ack_pending", 100'000}}}};
  auto answer = over.api("$JS.API.CONSUMER.DURABLE.CREATE." + stream + "." + consumer, wanted.dump());
  if (!answer) return tl::unexpected{answer.error()};
  if (answer->error != 0) return refused(stream, *answer);
  return {};
}

class nats_hints final : public jobs::hints {
 public:
  nats_hints(std::shared_ptr<connection> over, const address& to)
      : over_{std::move(over)}, to_{to}, stream_{to.name + "-hints"}, subject_{to.name + ".hints"} {}

  core::expected<void> push(std::string_view job) override {
    auto answer = over_->api(subject_, job);
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->error != 0) return refused(stream_, *answer);
    return {};
  }

  /// The library's own fetch may ignore its time limit (3.4.1), so the request is made by hand.
  core::expected<std::optional<hint>> pop(milliseconds) override {
    auto came = over_->ask("$JS.API.CONSUMER.MSG.NEXT." + stream_ + "." + consumer, R"({"batch":1,"no_wait":true})");
    constexpr int nobody = 503;
    if (!came || came->status == nobody) mend();
    if (!came) return tl::unexpected{came.error()};
    constexpr int nothing = 404;
    constexpr int expired = 408;
    if (came->status == nothing || came->status == expired) return std::nullopt;
    if (came->status != 0 || came->reply.empty()) {
      return core::fail(core::errc::unavailable, stream_ + ": no hint, but status " + std::to_string(came->status));
    }
    return hint{std::move(came->data), std::move(came->reply)};
  }

  core::expected<void> extend(hint& held, milliseconds) override { return tell(held, "+WPI"); }

  core::expected<void> release(const hint& held, milliseconds delay) override {
    if (delay <= milliseconds{0}) return tell(held, "-NAK");
    return tell(held, "-NAK " + json{{"delay", nanoseconds(delay)}}.dump());
  }

  core::expected<void> acknowledge(const hint& held) override { return tell(held, "+ACK"); }

  core::expected<std::uint64_t> depth() override {
    // Not the stream's own count, which 2.9 may leave too large after a crash.
    auto answer = over_->api("$JS.API.CONSUMER.INFO." + stream_ + "." + consumer, "");
    if (!answer) return tl::unexpected{answer.error()};
    constexpr int no_consumer = 10014;
    if (answer->error == no_consumer) mend();
    if (answer->error != 0) return refused(stream_, *answer);
    const auto count = [&](const char* name) {
      const auto found = answer->body.find(name);
      return found != answer->body.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
    };
    return count("num_pending") + count("num_ack_pending");
  }

 private:
  /// Servers that are killed may forget a consumer (2.9.10). It holds nothing that matters, so it is made again; the
  /// error that led here is the caller's answer all the same.
  void mend() {
    constexpr std::chrono::seconds pause{5};
    {
      const std::lock_guard lock{mutex_};
      const auto now = std::chrono::steady_clock::now();
      if (now < mend_after_) return;
      mend_after_ = now + pause;
    }
    static_cast<void>(make(*over_, to_));
  }

  /// Answers a delivery, and waits until the server has it.
  core::expected<void> tell(const hint& held, const std::string& what) {
    if (!held.receipt.starts_with("$JS.ACK.")) return core::fail(core::errc::not_found, held.job + ": no such hint");
    return over_->request(held.receipt, what).map([](const message&) {});
  }

  std::shared_ptr<connection> over_;
  address to_;
  std::string stream_;
  std::string subject_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point mend_after_{};
};

} // namespace

core::expected<std::shared_ptr<jobs::hints>> open_hints(std::shared_ptr<connection> over, const address& to) {
  if (auto made = make(*over, to); !made) return tl::unexpected{made.error()};
  return std::make_shared<nats_hints>(std::move(over), to);
}

} // namespace penstock::jobs::nats
